"""The reference of all problems, made from their table: pages of the server (see `articles`), and `docs/problems.md`.

python -m server.site.reference > docs/problems.md
"""

from __future__ import annotations

import sys

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..core.diagnosis.catalogue import Catalogue
from ..core.diagnosis.platforms import Sdk
from ..core.diagnosis.rules import Rule
from ..core.diagnosis.silence import SILENCE_STEPS, checks_of
from ..core.diagnosis.words import Plural, gaps
from ..core.model.errors import NotFound
from .articles import Articles
from .content import load_catalogue
from .pages import static_folder, wants_page
from .snippets import MARKDOWN

_INTRODUCTION = (
    "What the onboarding page can tell you, the most likely first: how it is noticed, what it means, what to do, and "
    "what makes it go away."
)


def routes(catalogue: Catalogue, articles: Articles) -> list[BaseRoute]:
    """`GET /problems`: all of them. `GET /problems/{code}?platform=`: where the page's links lead, an article for a
    browser, and its words as JSON for programs. All but the last also as Markdown, with `.md` or by the Accept header.

    Args:
        catalogue: all problems, with their words.
        articles: what is said of one problem.
    """
    # Once: it changes with the code alone.
    text = markdown(catalogue)

    async def problems(request: Request) -> Response:
        if request.url.path.endswith(".md") or wants_markdown(request):
            return _markdown(text)
        return articles.all(request)

    async def problem(request: Request) -> Response:
        code, dot, kind = request.path_params["code"].partition(".")
        rule = catalogue.rules.get(code)
        if rule is None or (dot and kind != "md"):
            raise NotFound("There is no such problem.")
        if dot or wants_markdown(request):
            return articles.markdown(request, rule)
        if wants_page(request):
            return articles.page(request, rule)
        words = _words(catalogue, rule, request.query_params.get("platform", ""))
        return JSONResponse(words, headers={"vary": "accept"})

    compressed = [Middleware(GZipMiddleware, minimum_size=1000)]
    return [
        Route("/problems", problems, middleware=compressed),
        Route("/problems.md", problems, middleware=compressed),
        Route("/problems/{code}", problem, middleware=compressed),
    ]


def _words(catalogue: Catalogue, rule: Rule, platform: str) -> dict[str, str | None]:
    """For what the page itself sees, such as a blocked browser."""
    family, said = catalogue.platforms.family_of_platform(platform), catalogue.words_of(rule)
    return {
        "code": rule.code,
        "severity": _severity(rule),
        "summary": _sentence(said.summary),
        "hint": said.hint,
        "fix": catalogue.fix_for(rule, family),
        "docs": f"problems#{rule.code}",
    }


def wants_markdown(request: Request) -> bool:
    """Whether a program asks for text instead of a page. Browsers never name this type."""
    return "text/markdown" in request.headers.get("accept", "")


def _markdown(text: str) -> Response:
    return Response(text, headers={"cache-control": "no-cache", "vary": "accept"}, media_type=MARKDOWN)


def markdown(catalogue: Catalogue) -> str:
    """`docs/problems.md`."""
    parts = [
        "# Problems",
        "",
        "<!-- Made from server/core/diagnosis and static/ by python -m server.site.reference. -->",
        "",
    ]
    parts += [_INTRODUCTION, ""]
    return "\n".join([*parts, *(_entry(catalogue, rule) for rule in catalogue.rules.values())])


def _entry(catalogue: Catalogue, rule: Rule) -> str:
    words, checks = catalogue.words_of(rule), _checks(catalogue, rule)
    parts = [f"## {rule.code}", "", f"**{_readable(words.summary)}** {_readable(words.hint)}", ""]
    parts += [f"- {name}: {text}" for name, text in _facts(catalogue, rule)]
    parts += [""]
    parts += [*(f"{number}. {check}" for number, check in enumerate(checks, 1)), ""] if checks else []
    for name, fix in _fixes(catalogue, rule):
        parts += [f"{name}:", "", "```", _example(fix), "```", ""]
    return "\n".join(parts)


def _facts(catalogue: Catalogue, rule: Rule) -> list[tuple[str, str]]:
    """How a problem is noticed, what resolves it, and how much it matters."""
    return [
        ("Noticed by", f"{catalogue.words_of(rule).seen}."),
        ("Resolved by", f"{catalogue.words.cures[rule.cure.says]}."),
        ("Severity", f"{_severity(rule)}."),
    ]


def _fixes(catalogue: Catalogue, rule: Rule) -> list[tuple[str, str]]:
    """What there is to copy, with the name of the platforms; and in brackets where it fits one reason only."""
    found = [("Any platform", rule.fix)] if rule.fix and not gaps(rule.fix) else []
    for family in catalogue.platforms.families.values():
        for name, lines in family.fixes.items():
            code, _, variant = name.partition(".")
            if code == rule.code:
                found.append((f"{family.name} ({variant})" if variant else family.name, "\n".join(lines)))
    return found


def _checks(catalogue: Catalogue, rule: Rule) -> list[str]:
    """What there is to look at, in the order of the page where it has one."""
    checks, families = catalogue.words_of(rule).checks, catalogue.platforms.families.values()
    # What these two say depends on the project; the reference shows all of it.
    if rule.code == "silence":
        hints = [f"{family.name}: {hint}" for family in families for hint in family.silence.values()]
        return [*(checks[name] for name in checks_of((), len(SILENCE_STEPS))), *hints]
    if rule.code == "outdated_sdk":
        return [_old(row) for family in families if family.versions for row in family.versions.sdks]
    return list(checks.values())


def _old(row: Sdk) -> str:
    limit = "any version" if row.oldest is None else f"before {row.oldest}"
    return f"{row.sdk}, {limit}: {row.upgrade}"


def _sentence(summary: str | Plural) -> str:
    return summary if isinstance(summary, str) else summary.other


def _readable(text: str | Plural) -> str:
    """A template with its gaps as words."""
    return _sentence(text).replace("{", "‹").replace("}", "›")


def _example(fix: str) -> str:
    """A fix with its placeholders as they are said: `{dsn}`."""
    return fix.replace("{{", "{").replace("}}", "}")


def _severity(rule: Rule) -> str:
    return rule.severity.name.lower()


if __name__ == "__main__":
    sys.stdout.write(markdown(load_catalogue(static_folder())))
