"""The pure core: bytes and times come in as arguments, values go out.

Nothing in here does I/O, reads a clock, logs, or awaits. Read in this order: `errors` (what can be wrong), `dsn` and
`envelope` (what an SDK sends), `events` (what is read of an event), `onboarding` (signals, stages, the transition
table), `state` (the mergeable state of a project), `problems` (what is said when something is wrong), `facts` (from a
request to a record) and `messages` (what viewers are sent).
"""
