#!/bin/sh
# MIT License. Part of Firstlight. Copy this file into your project; it needs a POSIX shell and curl or wget.
#
# Tells a Firstlight server that your script or container runs.
#
#   heartbeat.sh "$DSN" &                      # at the start of a script
#   heartbeat.sh "$DSN" --interval 30 &        # every 30 seconds, as long as the script that started it lives
#   heartbeat.sh "$DSN" --release shop@1.4.0 --environment production
#   heartbeat.sh "$DSN" --debug                # tells on stderr what happens
#
# Without a DSN, a release or an environment it takes SENTRY_DSN, SENTRY_RELEASE and SENTRY_ENVIRONMENT. It writes
# nothing to stdout and always exits with 0. Proxies are those of curl and wget: http_proxy, https_proxy, no_proxy.

version=0.1.0
timeout=5
max_backoff=300
rate_limited=60 # what SDKs wait after a 429 without Retry-After

dsn=
release=${SENTRY_RELEASE:-}
environment=${SENTRY_ENVIRONMENT:-}
interval=
debug=
while [ $# -gt 0 ]; do
  case $1 in
    --release) release=${2:-} && shift ;;
    --environment) environment=${2:-} && shift ;;
    --interval) interval=${2:-} && shift ;;
    --debug) debug=1 ;;
    *) dsn=$1 ;;
  esac
  [ $# -eq 0 ] || shift
done
dsn=${dsn:-${SENTRY_DSN:-}}

# Nobody who reads this script's output must wait for its end.
exec </dev/null >/dev/null
[ -n "$debug" ] || exec 2>/dev/null

say() {
  [ -z "$debug" ] || printf '[firstlight] %s\n' "$1" >&2
}

# Sets url and key, or fails.
parse() {
  case $1 in http://?*@?*/?* | https://?*@?*/?*) ;; *) return 1 ;; esac
  parse_rest=${1#*://}
  key=${parse_rest%%@*}
  key=${key%%:*}
  parse_rest=${parse_rest#*@}
  parse_rest=${parse_rest%/}
  project=${parse_rest##*/}
  base=${parse_rest%/*}
  case $key in '' | *[!0-9A-Za-z_]*) return 1 ;; esac
  case $project in '' | 0* | *[!0-9]* | ????????????????????*) return 1 ;; esac
  case $base in '' | [/:]* | "$parse_rest" | *[!0-9A-Za-z._~%:/[-]*) case $base in '['*:*']'*) ;; *) return 1 ;; esac ;; esac
  url=${1%%://*}://$base/api/$project/heartbeat/
}

# A JSON string; nothing for what is empty or longer than a server takes.
field() {
  [ -n "$2" ] && [ ${#2} -le 200 ] || return 0
  printf ', "%s": "%s"' "$1" "$(printf %s "$2" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"
}

# Sets status, 000 without one, and retry_after.
post() {
  if command -v curl; then
    head=$(curl -sS --max-time "$timeout" -o /dev/null -D - -H "$auth" -H "$type" -A "$agent" --data-binary "$body" "$url")
  elif wget --version 2>&1 | grep -q GNU; then
    head=$(wget -S -O /dev/null -T "$timeout" -t 1 --max-redirect=0 -U "$agent" --header "$auth" --header "$type" \
      --post-data "$body" "$url" 2>&1)
  elif command -v timeout && command -v wget && [ "$url" = "http://${url#http://}" ]; then
    # BusyBox's: it does not check certificates, and its own timeout may be left out
    head=$(timeout "$timeout" wget -S -O /dev/null -U "$agent" --header "$auth" --header "$type" --post-data "$body" "$url" 2>&1)
  else
    say "neither curl nor GNU wget is here"
    exit 0
  fi
  head=$(printf '%s\n' "$head" | tr -d '\r')
  status=$(printf '%s\n' "$head" | sed -n 's|^ *HTTP/[0-9.]* \([0-9][0-9][0-9]\).*|\1|p' | tail -n 1)
  retry_after=$(printf '%s\n' "$head" | sed -n 's/^ *[Rr][Ee][Tt][Rr][Yy]-[Aa][Ff][Tt][Ee][Rr]: *\([0-9]\{1,6\}\) *$/\1/p' | tail -n 1)
  status=${status:-000}
  say "$url answered $status"
} >/dev/null

# Sets delay after a failure: doubled each time, with jitter.
back_off() {
  delay=2
  back_off_count=0
  while [ $back_off_count -lt $failures ] && [ $delay -lt $max_backoff ]; do
    delay=$((delay * 2))
    back_off_count=$((back_off_count + 1))
  done
  failures=$((failures + 1))
  [ $delay -le $max_backoff ] || delay=$max_backoff
  jitter=$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')
  delay=$((delay / 2 + (delay * ${jitter:-128} + 255) / 510))
}

# Waits as long as the program that started this one is there.
pause() {
  pause_left=$1
  while [ "$pause_left" -gt 0 ]; do
    kill -0 "$PPID" || exit 0
    sleep 1
    pause_left=$((pause_left - 1))
  done
}

if ! parse "$dsn"; then
  say "no heartbeat: there is no valid DSN"
  exit 0
fi
case $interval in '' | *[!0-9]* | ?????*) interval= ;; esac
[ -z "$interval" ] || [ "$interval" -ge 1 ] || interval=1
[ -z "$interval" ] || [ "$interval" -le 3600 ] || interval=3600

auth="X-Sentry-Auth: Sentry sentry_version=7, sentry_key=$key"
type="Content-Type: application/json"
agent="firstlight.shell/$version"
body="{\"type\": \"heartbeat\"${interval:+, \"interval\": $interval}"
body="$body, \"sdk\": {\"name\": \"firstlight.shell\", \"version\": \"$version\"}"
body="$body, \"runtime\": {\"name\": \"$(uname -s)\", \"version\": \"$(uname -r)\"}"
body="$body$(field release "$release")$(field environment "$environment")}"

failures=0
while :; do
  post
  [ -n "$interval" ] || exit 0
  case $status in
    2??) failures=0 delay=$interval ;;
    400 | 401 | 403 | 404) say "the DSN is refused; no more heartbeats" && exit 0 ;;
    429) delay=${retry_after:-$rate_limited} ;;
    503) if [ -n "$retry_after" ]; then delay=$retry_after; else back_off; fi ;;
    *) back_off ;;
  esac
  [ "$delay" -ge 1 ] || delay=1
  [ "$delay" -le 3600 ] || delay=3600
  pause "$delay"
done
