"""What it usually is when nothing arrives at all: a list that grows with the waiting, by platform."""

from __future__ import annotations

SILENCE_STEPS = (20_000, 60_000, 180_000)
"""Milliseconds of waiting after which more is said."""

_ALWAYS: tuple[tuple[str, ...], ...] = (
    (
        "Was the app restarted since the lines of step 2 were added, and is that code reached? Print something beside "
        "it to be sure.",
        "Without the heartbeat lines, init alone sends nothing, in any SDK. Send the first error of step 3.",
    ),
    (
        "Does the DSN reach the app? Print it where init is called: it must be the one above, and not empty.",
        "Does the process end at once? Then it may end before anything is sent: flush first.",
    ),
    (
        "Does the app run in a container? There, localhost and 127.0.0.1 are the container itself: use the host's "
        "address in the DSN (host.docker.internal with Docker Desktop).",
        "Can the machine reach this server at all? Try the command below from where the app runs: a firewall, a "
        "proxy, or a certificate that the machine does not trust show there.",
        "Set debug to true in init: the SDK then prints what it does with each event.",
    ),
)

_BY_FAMILY: dict[str, tuple[str, ...]] = {
    "python": ("Call sentry_sdk.flush() before the process ends, in scripts and in serverless functions.",),
    "node": ("Import the file with Sentry.init before anything else; await Sentry.flush(2000) before process.exit().",),
    "javascript": (
        "Open the browser's developer tools, Network: is there a request to /envelope/, and what became of it? An ad "
        "blocker or a Content-Security-Policy stops it there.",
        "An error that you throw in the console does not count: it never reaches the page's own handlers.",
    ),
    "go": ("Call defer sentry.Flush(2 * time.Second) in main: Go ends without waiting.",),
    "php": ("Is the init call in a file that every request loads, and is opcache reset after the change?",),
    "ruby": ("Is the initializer loaded in this environment? Sentry's enabled_environments may leave it out.",),
    "java": ("Is sentry.properties or application.properties on the classpath of the app that runs?",),
}

_BY_PLATFORM: dict[str, tuple[str, ...]] = {
    "javascript-nextjs": ("An environment variable reaches the browser only if its name starts with NEXT_PUBLIC_.",),
    "javascript-react": ("With Vite, a variable reaches the browser only if its name starts with VITE_.",),
    "javascript-vue": ("With Vite, a variable reaches the browser only if its name starts with VITE_.",),
    "javascript-svelte": ("With Vite, a variable reaches the browser only if its name starts with VITE_.",),
}


def checks_for(family: str, platform: str | None, steps: int) -> tuple[str, ...]:
    """The list after so many steps of waiting, the most probable first.

    Args:
        family: of platforms, such as `python` or `javascript`.
        platform: as its owner chose it.
        steps: 1 … `len(SILENCE_STEPS)`.
    """
    particular = (*_BY_PLATFORM.get(platform or "", ()), *_BY_FAMILY.get(family, ()))
    first, *later = _ALWAYS[:steps]
    return (*first, *(particular if steps > 1 else ()), *(check for checks in later for check in checks))
