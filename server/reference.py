"""The reference of all problems, made from their table: a page of the server, and `docs/problems.md`.

python -m server.reference > docs/problems.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .core.codes import Code
from .core.errors import NotFound
from .core.problems import PROBLEMS, Rule
from .core.silence import SILENCE_STEPS, checks_for

FAMILY_NAMES = {
    "": "Any platform",
    "python": "Python",
    "javascript": "JavaScript in the browser",
    "node": "Node.js",
    "ruby": "Ruby",
    "php": "PHP",
    "go": "Go",
    "java": "Java",
}
_INTRODUCTION = (
    "What the onboarding page can name, most probable first: what each is seen from, what it means, what to do, and "
    "what makes it disappear."
)


def routes(headers: Mapping[str, str]) -> list[BaseRoute]:
    """`GET /problems`: where the page's links lead. `GET /problems/{code}?platform=`: the words of one, as JSON.

    Args:
        headers: what a page may load; the same as for all pages.
    """
    page = html()

    async def problems(_: Request) -> Response:
        return HTMLResponse(page, headers=dict(headers))

    async def words(request: Request) -> Response:
        """For what the page itself sees, such as a blocked browser."""
        try:
            code = Code(request.path_params["code"])
        except ValueError:
            raise NotFound("There is no such problem.") from None
        rule, family = PROBLEMS[code], request.query_params.get("platform", "").partition("-")[0]
        return JSONResponse(
            {
                "code": code,
                "severity": _severity(rule),
                "summary": rule.summary,
                "hint": rule.hint,
                "fix": rule.fix_for(family),
                "docs": f"problems#{code}",
            }
        )

    compressed = [Middleware(GZipMiddleware, minimum_size=1000)]
    return [Route("/problems", problems, middleware=compressed), Route("/problems/{code}", words)]


def markdown() -> str:
    """`docs/problems.md`."""
    parts = ["# Problems", "", "<!-- Made from server/core/problems.py by python -m server.reference. -->", ""]
    parts += [_INTRODUCTION, ""]
    for code, rule in PROBLEMS.items():
        parts += [f"## {code}", "", f"**{_readable(rule.summary)}** {_readable(rule.hint)}", ""]
        parts += [f"- Seen from: {rule.seen}.", f"- Resolved by: {rule.cured}.", f"- Severity: {_severity(rule)}.", ""]
        for family, fix in rule.fixes.items():
            parts += [f"{FAMILY_NAMES[family]}:", "", "```", _example(fix), "```", ""]
        if code == "silence":
            parts += [*(f"{number}. {check}" for number, check in enumerate(_all_checks(), 1)), ""]
    return "\n".join(parts)


def html() -> str:
    """The same as one page without scripts."""
    sections = "\n".join(_section(code, rule) for code, rule in PROBLEMS.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Problems · Firstlight</title>
<link rel="stylesheet" href="static/style.css">
<link rel="stylesheet" href="static/reference.css">
</head>
<body class="reference">
<main>
<h1>Problems</h1>
<p>{escape(_INTRODUCTION)}</p>
{sections}
</main>
</body>
</html>
"""


def _section(code: str, rule: Rule) -> str:
    fixes = "".join(
        f"<h3>{escape(FAMILY_NAMES[family])}</h3><pre><code>{escape(_example(fix))}</code></pre>"
        for family, fix in rule.fixes.items()
    )
    checks = "".join(f"<li>{escape(check)}</li>" for check in _all_checks()) if code == "silence" else ""
    return (
        f'<section id="{code}"><h2>{escape(_readable(rule.summary))}</h2><p>{escape(_readable(rule.hint))}</p>'
        f"{f'<ol>{checks}</ol>' if checks else ''}{fixes}"
        f"<dl><dt>Name</dt><dd><code>{code}</code></dd><dt>Seen from</dt><dd>{escape(rule.seen)}</dd>"
        f"<dt>Resolved by</dt><dd>{escape(rule.cured)}</dd></dl></section>"
    )


def _readable(text: str) -> str:
    """A template with its placeholders as words."""
    return text.replace("{", "‹").replace("}", "›")


def _example(fix: str) -> str:
    """A fix with its placeholders as they are said: `{dsn}`."""
    return fix.replace("{{", "{").replace("}}", "}")


def _severity(rule: Rule) -> str:
    return rule.severity.name.lower()


def _all_checks() -> tuple[str, ...]:
    return checks_for("", None, len(SILENCE_STEPS))


if __name__ == "__main__":
    sys.stdout.write(markdown())
