"""The pure core: bytes and times come in as arguments, values go out.

Nothing in here does I/O, reads a clock, logs, or awaits. Read in this order: `errors` (what can be wrong), `dsn` and
`envelope` (what an SDK sends), `events` (what is read of an event), `onboarding` (signals, stages, the transition
table), `state` (the mergeable state of a project), `facts` and `records` (from a request to what is written of it),
`reading` (what is known of a project at a time), `findings` and `problems` (what is wrong, and what is said then),
`features`, and `messages` (what viewers are sent).
"""
