"""The reference of all problems, made from their table: a page of the server, and `docs/problems.md`.

python -m server.site.reference > docs/problems.md
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

from ..core.diagnosis.catalogue import PROBLEMS, Rule
from ..core.diagnosis.silence import SILENCE_STEPS, checks_for
from ..core.model.codes import Code
from ..core.model.errors import NotFound

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
    parts = [
        "# Problems",
        "",
        "<!-- Made from server/core/diagnosis/catalogue.py by python -m server.site.reference. -->",
        "",
    ]
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
    contents = "\n".join(f'<li><a href="#{code}">{_title(code)}</a></li>' for code in PROBLEMS)
    sections = "\n".join(_section(code, rule) for code, rule in PROBLEMS.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Problems · Firstlight</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/elements/tokens.css">
<link rel="stylesheet" href="static/elements/base.css">
<link rel="stylesheet" href="static/elements/steps.css">
<link rel="stylesheet" href="static/elements/details.css">
<link rel="stylesheet" href="static/site/reference.css">
</head>
<body class="reference">
<header class="top"><a class="brand" href="./">{_SUNRISE}Firstlight</a></header>
<main>
<header class="intro">
<h1>Problems</h1>
<p>{escape(_INTRODUCTION)}</p>
</header>
<nav aria-label="Problems">
<ol>
{contents}
</ol>
</nav>
<div class="entries">
{sections}
</div>
</main>
</body>
</html>
"""


_SUNRISE = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M2 19h20M5.5 15.5a6.5 6.5 0 0 1 13 0M12 3v2.5M3.6 8l1.9 1.6M20.4 8l-1.9 1.6"/></svg>'
)


def _section(code: str, rule: Rule) -> str:
    fixes = "".join(
        f'<figure class="code"><figcaption class="file">{escape(FAMILY_NAMES[family])}</figcaption>'
        f'<pre tabindex="0"><code>{escape(_example(fix))}</code></pre></figure>'
        for family, fix in rule.fixes.items()
        if fix != "{{dsn}}"  # which only the page of a project knows
    )
    checks = "".join(f"<li>{escape(check)}</li>" for check in _all_checks()) if code == "silence" else ""
    observation = (("Seen from", rule.seen), ("Resolved by", rule.cured))
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in observation)
    return (
        f'<section id="{code}">'
        f'<p class="meta" data-severity="{_severity(rule)}"><code>{code}</code> · {_severity(rule)}</p>'
        f'<h2><a href="#{code}">{escape(_readable(rule.summary))}</a></h2><p>{escape(_readable(rule.hint))}</p>'
        f'{f"<ol class=checks>{checks}</ol>" if checks else ""}{fixes}<dl class="facts">{rows}</dl></section>'
    )


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize().replace("Cors", "CORS").replace("sdk", "SDK").replace("json", "JSON")


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
