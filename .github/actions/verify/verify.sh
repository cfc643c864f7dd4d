#!/usr/bin/env bash
# Runs a program under `firstlight run` and tells the result as CI likes it: an annotation where it fails, a summary in
# Markdown, JUnit XML. Everything comes in by variables, so that it runs in any CI, and by hand.
set -uo pipefail

stop=()
[ "${VERIFY_STOP:-false}" = true ] && stop=(--stop)
result=$(firstlight run --json --verify "${VERIFY_STAGE:-first_error_received}" --timeout "${VERIFY_TIMEOUT:-120}" \
  ${stop[@]+"${stop[@]}"} -- bash -c "$VERIFY_RUN" | tail -1)
status=$? # of firstlight, by pipefail

# Standard output is one JSON object: python3 is there wherever firstlight is.
python3 - "$result" "$status" <<'PYTHON'
import json, os, sys
from xml.sax.saxutils import quoteattr

try:
    end = json.loads(sys.argv[1])
except ValueError:  # a usage error has no JSON
    end = {"cause": "usage", "exit": 2, "message": "firstlight run did not start; see its output above.", "fix": ""}
good = end["exit"] == 0
said = " ".join(part for part in (end["message"], end.get("fix", "")) if part)


def escaped(text):  # workflow commands: GitHub's docs, "Workflow commands"
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if os.environ.get("GITHUB_ACTIONS") and not good:
    print(f"::error title=Errors do not arrive ({end['cause']})::{escaped(said)}")
print(f"{'✓' if good else '✗'} {said}")
if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
    rows = [("cause", f"`{end['cause']}`"), ("stage", f"`{end.get('stage')}`"), ("exit status", str(end["exit"]))]
    with open(summary, "a", encoding="utf-8") as file:
        file.write(f"### {'✓' if good else '✗'} {end['message']}\n\n{end.get('fix', '')}\n\n| | |\n|---|---|\n")
        file.writelines(f"| {name} | {value} |\n" for name, value in rows)
if junit := os.environ.get("VERIFY_JUNIT"):
    failure = "" if good else f"<failure type={quoteattr(end['cause'])} message={quoteattr(said)}/>"
    with open(junit, "w", encoding="utf-8") as file:
        file.write(f'<testsuite name="firstlight" tests="1" failures="{int(not good)}">'
                   f'<testcase classname="firstlight" name="errors arrive">{failure}</testcase></testsuite>\n')
PYTHON
exit "$status"
