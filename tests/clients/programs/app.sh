#!/bin/sh
# An application with a heartbeat client: `sh app.sh MODE DSN [INTERVAL]`.
started=$(date +%s%N)
[ "$1" = none ] || sh "$CLIENT" "$2" ${3:+--interval "$3"} &
[ "$1" != time ] || echo 0 "$((($(date +%s%N) - started) / 1000000))" # a fork: nothing is computed here
if [ "$1" = run ]; then read -r _; fi
