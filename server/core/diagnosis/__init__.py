"""What is wrong with a project, and what to do.

`detection` finds it in the state and the time, `cures` say what resolves it, `rules` is the table of all problems, and
`catalogue` puts a rule, its words and the platform's code together. `words` and `platforms` are data: files
that are read outside of the core and come in as values. `silence` and `features` are lists of their own.

A new problem is a rule here and its words in `static/messages`; a new platform is a file in `static/platforms`.
"""
