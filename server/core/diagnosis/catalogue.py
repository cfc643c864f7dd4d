"""What is said when something is wrong: one row per problem.

A problem that is *recorded* is a count, two times and some evidence in the state (`core.state`), seen in a request. One
that is *found* follows from the state and the time alone. Words, and what resolves a problem, are looked up here when a
snapshot is made, so that better words reach old problems too. The order of the rows is how probable each is as the
reason why somebody waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from ..model.codes import Code
from ..model.signals import Signal
from ..state import fields
from ..state.view import View
from .detection import (
    Diagnosis,
    Find,
    accepted,
    any_key,
    by_envelope,
    contradiction,
    delivered,
    dropped,
    first_error,
    in_time,
    missing,
    never,
    only,
    outdated_sdk,
    preflight_only,
    quiet,
    recorded,
    silence,
)

MAX_SHOWN = 20
"""Problems in one snapshot: more than a person reads."""


class Severity(IntEnum):
    """How much a problem matters; the order is the page's."""

    ERROR = 0
    """Keeps the user from the next stage."""
    WARNING = 1
    """May do so, or loses something."""
    NOTE = 2
    """Worth to know, once all else works."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One problem.

    Args:
        seen: what it is seen from, for the documentation.
        summary: what happened, in one sentence; `{name}` is filled in from the evidence.
        hint: why, and what to do next.
        cured: what resolves it, for the documentation.
        find: whether a project has it.
        fixes: code or a command to copy, by family of platforms; "" for all others.
    """

    seen: str
    summary: str
    hint: str
    cured: str
    find: Find
    severity: Severity = Severity.ERROR
    fixes: Mapping[str, str] = field(default_factory=dict)

    def fix_for(self, family: str) -> str | None:
        """What to copy, for a family of platforms."""
        return self.fixes.get(family) or self.fixes.get("")


def filled(text: str, evidence: Mapping[str, str]) -> str:
    """Replace `{name}` by what is evident, once: evidence may hold braces. Other braces stay: some texts are code."""
    return _GAP.sub(lambda gap: evidence.get(gap[1], gap[0]), text)


_GAP = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")
_ACCEPTED = "any later request that is accepted, but for a client report"
_COPY_DSN = "Copy the DSN from this page once more, whole, and restart your app."

PROBLEMS: dict[Code, Rule] = {
    Code.UNKNOWN_KEY: Rule(
        "a refused request with this project's id and a key that it does not have",
        "An SDK sent a key that this project does not have.",
        f"The key in your app's DSN is mistyped, cut off, or from another server. {_COPY_DSN}",
        "any request with a valid key",
        recorded(Code.UNKNOWN_KEY, any_key),
        fixes={"": "{{dsn}}"},
    ),
    Code.DISABLED_KEY: Rule(
        "a refused request with a key that was disabled",
        "An SDK sent a key that is disabled.",
        f"Somebody disabled this key. {_COPY_DSN}",
        "any request with a valid key",
        recorded(Code.DISABLED_KEY, any_key),
        fixes={"": "{{dsn}}"},
    ),
    Code.KEY_OF_OTHER_PROJECT: Rule(
        "a refused request with one project's key and another's id; it stands on both pages",
        "A key and a project id that do not belong together were sent.",
        f"The number at the end of your DSN and the key before the @ are from different projects. {_COPY_DSN}",
        "any request with a valid key",
        recorded(Code.KEY_OF_OTHER_PROJECT, any_key),
        fixes={"": "{{dsn}}"},
    ),
    Code.MISSING_KEY: Rule(
        "a refused request with this project's id and no key",
        "An SDK reached this project without a key.",
        "The DSN was cut, or a proxy removes the X-Sentry-Auth header and the query. "
        "A DSN has the key before the @: compare yours with the one on this page.",
        "any request with a valid key",
        recorded(Code.MISSING_KEY, any_key),
        fixes={"": "{{dsn}}"},
    ),
    Code.CONFLICTING_KEYS: Rule(
        "a refused request with two different keys",
        "One request carried two different keys.",
        "Two SDKs, or an SDK and a tunnel, add different keys to the same request. Configure one DSN only.",
        "any request with a valid key",
        recorded(Code.CONFLICTING_KEYS, any_key),
    ),
    Code.WRONG_PATH: Rule(
        "a request to an address that is almost right: a misspelled endpoint, no /api, a prefix that a proxy removed",
        "A request for this project went to {path}, where nothing listens.",
        "SDKs build the address from the DSN: {expected}. If yours is the right DSN, a reverse proxy in between "
        "rewrites the path: let it pass /api/ through unchanged.",
        _ACCEPTED,
        recorded(Code.WRONG_PATH, accepted),
    ),
    Code.PROJECT_MISMATCH: Rule(
        "an envelope whose DSN names another project than the URL",
        "An envelope names another project than the address that it was sent to.",
        "A tunnel or proxy forwards to the wrong project. Forward to the project id that the envelope's DSN names.",
        _ACCEPTED,
        recorded(Code.PROJECT_MISMATCH, accepted),
    ),
    Code.SILENCE: Rule(
        "somebody watches the page, and nothing came at all: after 20 s, 60 s and 3 min",
        "Nothing has arrived yet, {waited} after this page was opened.",
        "That is normal until your app runs with the lines of step 2. If it does, go through this list:",
        "any request with a valid key",
        silence,
        Severity.WARNING,
        {"": "curl -i --data '' '{{ingest}}/heartbeat/?sentry_key={{key}}'"},
    ),
    Code.BROWSER_BLOCKED: Rule(
        "the page cannot reach the ingest address from this very browser",
        "This browser blocks requests to the address that your SDK sends to.",
        "An ad blocker or privacy extension often blocks addresses with “sentry” or “envelope” in them; a "
        "Content-Security-Policy without the address in connect-src, and http:// from an https:// page are "
        "blocked, too. Allow the address, or use the SDK's tunnel option.",
        "a later probe that gets through",
        never,
        Severity.WARNING,
        {"javascript": 'Sentry.init({ dsn, tunnel: "/tunnel" })   // forward its bodies to {{ingest}}/envelope/'},
    ),
    Code.CORS_PREFLIGHT_ONLY: Rule(
        "a browser asked for permission (OPTIONS) and sent nothing within 5 s",
        "A browser asked whether it may send, and then did not.",
        "A proxy in front of this server answers the preflight itself, without the CORS headers, or your own code "
        "sends headers that are not allowed. Let OPTIONS pass through; send text/plain to need no preflight at all.",
        "the request that follows",
        preflight_only,
    ),
    Code.DROPPED_BY_SDK: Rule(
        "a client report that counts dropped errors, or reasons that lose data",
        "Your SDK works. Its {reason} dropped {what}.",
        "The SDK decided not to send: before_send and event processors drop what they return nothing for, "
        "sample_rate drops a share, network_error and queue_overflow mean that it could not get through.",
        "an error that arrives later",
        recorded(Code.DROPPED_BY_SDK, delivered, dropped),
        fixes={
            "python": "def before_send(event, hint):\n    return event  # None drops it",
            "javascript": "beforeSend(event, hint) {\n  return event; // null drops it\n}",
            "node": "beforeSend(event, hint) {\n  return event; // null drops it\n}",
            "ruby": "config.before_send = lambda do |event, hint|\n  event # nil drops it\nend",
            "php": "'before_send' => fn (\\Sentry\\Event $event) => $event, // null drops it",
        },
    ),
    Code.BAD_REQUEST: Rule(
        "a request that is refused with 400 for a reason that no other row names",
        "A request made no sense as it was.",
        "What was wrong with it stands below. If an SDK sent it, update the SDK, or look for a proxy that changes "
        "its requests.",
        _ACCEPTED,
        recorded(Code.BAD_REQUEST, accepted),
    ),
    Code.MALFORMED_ENVELOPE: Rule(
        "an envelope that breaks the grammar; with the byte and the start of the line",
        "A request with your key arrived damaged.",
        "If you build envelopes yourself: an item's length must count the bytes (not characters) of its payload, "
        "lines end with \\n alone, and nothing follows the last item. If an SDK built it, look for a proxy that "
        "rewrites bodies.",
        _ACCEPTED,
        recorded(Code.MALFORMED_ENVELOPE, accepted),
    ),
    Code.INVALID_JSON: Rule(
        "a body or an item that should be a JSON object and is not",
        "A request with your key held something that is not a JSON object.",
        "Check what your app or a proxy puts into the body: it must be a JSON object in UTF-8.",
        _ACCEPTED,
        recorded(Code.INVALID_JSON, accepted),
    ),
    Code.INVALID_HEARTBEAT: Rule(
        "a heartbeat with a field of the wrong type",
        "A heartbeat arrived with a field of the wrong type.",
        "Correct the field that is named below; only type is required, so leaving the field out helps too.",
        _ACCEPTED,
        recorded(Code.INVALID_HEARTBEAT, accepted),
    ),
    Code.UNSUPPORTED_ENCODING: Rule(
        "a body whose Content-Encoding is unknown, or not what the bytes are",
        "A request was compressed in a way that could not be read.",
        "Send gzip, deflate, br, zstd or no Content-Encoding, and make sure that no proxy decompresses the body "
        "but leaves the header.",
        _ACCEPTED,
        recorded(Code.UNSUPPORTED_ENCODING, accepted),
    ),
    Code.TOO_LARGE: Rule(
        "a body or an item over its limit",
        "A request was larger than this server takes.",
        "Send less at once: smaller attachments, shorter breadcrumbs, fewer local variables.",
        _ACCEPTED,
        recorded(Code.TOO_LARGE, accepted),
    ),
    Code.MESSAGE_NOT_ERROR: Rule(
        "an event of a level below error, without an exception",
        "A message arrived, and the first error is still awaited.",
        "Your SDK works. A captured message of level info is not an error: raise an exception and let the SDK "
        "catch it, as in step 3.",
        "the first error",
        recorded(Code.MESSAGE_NOT_ERROR, first_error),
        Severity.WARNING,
        {
            "python": "1 / 0",
            "javascript": 'throw new Error("My first error");',
            "node": 'throw new Error("My first error");',
            "ruby": "1 / 0",
            "php": "throw new Exception('My first error');",
            "go": 'sentry.CaptureException(errors.New("my first error"))',
        },
    ),
    Code.SAMPLE_ONLY: Rule(
        "an event tagged sample_event: yes",
        "A sample event arrived; it does not count as your first error.",
        "The way to the server works. Now let your own app fail once, as in step 3.",
        "the first error",
        recorded(Code.SAMPLE_ONLY, first_error),
        Severity.WARNING,
    ),
    Code.ONLY_TRANSACTIONS: Rule(
        "connected, and nothing but transactions for 10 s",
        "Transactions arrive, and no error yet.",
        "Tracing works. If your app did fail, its errors are caught before the SDK sees them: call "
        "capture_exception in the place that catches them, or let one through, as in step 3.",
        "the first error",
        only(Signal.TRANSACTION, frozenset({Signal.SESSION, Signal.HEARTBEAT, Signal.PROFILE, Signal.LOG})),
        Severity.NOTE,
    ),
    Code.ONLY_SESSIONS: Rule(
        "connected, and nothing but sessions for 10 s",
        "Sessions arrive, and no error yet.",
        "Release health works, and nothing has failed so far. Send a first error, as in step 3.",
        "the first error",
        only(Signal.SESSION, frozenset({Signal.HEARTBEAT})),
        Severity.NOTE,
    ),
    Code.QUIET: Rule(
        "promised heartbeats stopped for 2.5 intervals",
        "Your app has stopped sending its heartbeats.",
        "It promised one every {interval}. It was stopped, it crashed, or it lost its way to this server. "
        "The last thing that came was: {last signal}.",
        "the next signal",
        quiet,
        Severity.WARNING,
    ),
    Code.RATE_LIMITED: Rule(
        "an answer of 429, or a client report that counts what was held back for one",
        "Some requests were turned away, since too many came at once.",
        "Nothing is lost for this page: heartbeats and first signals always pass. Lower the sample rates if it "
        "goes on.",
        _ACCEPTED,
        recorded(Code.RATE_LIMITED, accepted),
        Severity.WARNING,
    ),
    Code.CONFIG_CONTRADICTION: Rule(
        "the configuration in a heartbeat",
        "An option of your SDK keeps it from doing what you expect.",
        "Its heartbeat told how it is configured:",
        "a heartbeat without it",
        contradiction,
        Severity.WARNING,
    ),
    Code.CLOCK_SKEW: Rule(
        "an envelope's sent_at against the time of receipt, beyond 60 s",
        "Your app's clock is {skew}.",
        "Events will stand at the wrong time, and some servers refuse them. Set the machine's clock by NTP; in a "
        "container, the host's clock counts.",
        "an envelope that is in time",
        recorded(Code.CLOCK_SKEW, in_time),
        Severity.WARNING,
        {"": "timedatectl set-ntp true"},
    ),
    Code.ORIGIN_BLOCKED: Rule(
        "a page of another site that may not watch this project",
        "A page of {origin} tried to show this project and may not.",
        "Add the origin to FIRSTLIGHT_ORIGINS if the page is yours.",
        "nothing; it fades behind newer problems",
        recorded(Code.ORIGIN_BLOCKED, lambda _reading, _at: False),
        Severity.NOTE,
        {"": "FIRSTLIGHT_ORIGINS={origin}"},
    ),
    Code.OUTDATED_SDK: Rule(
        "the SDK's name and version, against a dated table",
        "Your app runs {sdk}, which is old.",
        "It works here. Newer versions send more of what this page can show, and get fixes.",
        "a newer version",
        outdated_sdk,
        Severity.NOTE,
        {"": "{upgrade}"},
    ),
    Code.LEGACY_STORE_ENDPOINT: Rule(
        "a request to /store/",
        "An SDK used the old /store/ endpoint.",
        "It works here, and newer servers drop it. A current SDK sends envelopes.",
        "an envelope",
        recorded(Code.LEGACY_STORE_ENDPOINT, by_envelope),
        Severity.NOTE,
    ),
    Code.MISSING_RELEASE: Rule(
        "events without a release",
        "Your events have no release.",
        "Without one, sessions (release health) stay silent, and nobody can tell which version brought an error.",
        "an event with a release",
        missing(fields.RELEASE),
        Severity.NOTE,
        {
            "python": 'sentry_sdk.init(dsn="{{dsn}}", release="my-app@1.0.0")',
            "javascript": 'Sentry.init({ dsn: "{{dsn}}", release: "my-app@1.0.0" });',
            "node": 'Sentry.init({ dsn: "{{dsn}}", release: "my-app@1.0.0" });',
            "": "SENTRY_RELEASE=my-app@1.0.0",
        },
    ),
    Code.MISSING_ENVIRONMENT: Rule(
        "events without an environment",
        "Your events have no environment.",
        "Without one, errors of your own machine and of production stand side by side.",
        "an event with an environment",
        missing(fields.ENVIRONMENT),
        Severity.NOTE,
        {"": "SENTRY_ENVIRONMENT=development"},
    ),
}
"""All problems, the most probable first."""


def problems_of(view: View) -> list[tuple[Code, Diagnosis]]:
    """The problems of a project: open ones first, by severity and probability; at most `MAX_SHOWN`."""
    found = [(code, diagnosis) for code, rule in PROBLEMS.items() if (diagnosis := rule.find(view))]
    found.sort(key=lambda entry: (entry[1].resolved, PROBLEMS[entry[0]].severity))
    return found[:MAX_SHOWN]
