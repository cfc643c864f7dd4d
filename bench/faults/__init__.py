"""`make faults`: each fault under real workers, a real Redis and real watchers, and what it costs.

faults     what is done, by name
link       a TCP proxy whose links can be cut, reset, or left half open
world      the processes and the links of one run
people     who sends, and who watches
__main__   one run for each fault, idle and busy; prints a table, and writes it into docs/reliability.md if asked to
"""
