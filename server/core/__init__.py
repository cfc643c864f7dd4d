"""The pure part: no clock, environment, network or log. Bytes and times come in as arguments.

A staircase, in which each step imports only those above it: `model` (the words of all others), `wire` (from bytes to an
observation), `state` (fields, updates, views), `diagnosis` (what is wrong), `snapshot` (what viewers are sent).
"""
