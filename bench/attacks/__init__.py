"""`make attacks`: each known flood against a real server, while another project's heartbeat is timed.

attacks    what each flood sends
attacker   a process of its own that sends it, at a bounded rate, on loopback only
measure    the heartbeat, the memory, the viewers
__main__   one after another, directly and through nginx; prints a table, and writes docs/attacks.md if asked to
"""
