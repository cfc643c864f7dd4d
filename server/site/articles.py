"""`GET /problems/{code}?platform=&lang=`: a problem as an article, with the platform's own code, for people and agents.

What is said is in `static/articles/` (see `article_files`): how to see that it is this problem, why it happens, how it
is mended, how to check that it is, what else it can be. It is read when somebody first asks for it in a language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..core.diagnosis.catalogue import Catalogue
from ..core.diagnosis.rules import Rule
from ..core.model.errors import SettingsError
from . import templates
from .article_files import (
    ALL,
    SAID,
    SECTIONS,
    STEPS,
    Codes,
    Item,
    Outline,
    Translated,
    Translation,
    in_language,
    read_codes,
    read_outlines,
    read_translation,
)
from .markup import Block, Code, Heading, Link, Text, html, links, markdown
from .pages import language_of
from .snippets import MARKDOWN, Snippets, filled

DEFAULT = "python"
"""The platform of a link that names none, or one that is not known."""
_HELD = 2
"""Languages whose sentences stay in memory, some 0.1 MiB each; the files of the others are read again, in 0.2 ms."""


class _Spoken(NamedTuple):
    """What is said in one language: the messages, and the articles."""

    messages: Mapping[str, Any]
    articles: Mapping[str, Translated]
    cures: Mapping[str, str]

    def note(self, note: str) -> str:
        """What a platform says of itself; its file is English."""
        said: str = self.messages.get("notes", {}).get(note, note)
        return said


class _Wanted(NamedTuple):
    """What a request asks for."""

    language: str
    platform: str
    asked: Mapping[str, str]


class Articles:
    """All problems as articles.

    Args:
        folder: `static/`.
        headers: what a page may load.

    Raises:
        SettingsError: a file is damaged, or speaks of a problem or of code that there is not.
    """

    def __init__(self, catalogue: Catalogue, snippets: Snippets, folder: Path, headers: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._snippets = snippets
        self._folder = folder
        self._headers = headers
        self._pages = templates.pages(folder, "site/article.html")
        self._lists = templates.pages(folder, "site/problems.html")
        self._spoken = lru_cache(maxsize=_HELD)(self._read)
        # At the start, not when somebody first needs an article; and not kept, since most processes never show one.
        self._check(read_outlines(folder / "articles"), read_codes(folder / "articles"))

    @cached_property
    def _outlines(self) -> Mapping[str, Outline]:
        return read_outlines(self._folder / "articles")

    @cached_property
    def _codes(self) -> Codes:
        return read_codes(self._folder / "articles")

    def _check(self, outlines: Mapping[str, Outline], codes: Codes) -> None:
        strange = {*outlines} - {*self._catalogue.rules}
        for outline in outlines.values():
            for item in (item for section in SECTIONS for item in outline.items(section)):
                strange |= {*links(item.say)} - {*self._catalogue.rules}
                strange |= {item.show or SAID[0]} - {*STEPS, *SAID, *codes}
                strange |= {*item.only} - {*self._catalogue.platforms.names, *self._catalogue.platforms.families}
        if strange:
            raise SettingsError(f"{self._folder / 'articles'} is damaged: there is no {min(strange)}.")

    def _read(self, language: str) -> _Spoken:
        messages = templates.messages(self._folder)[language]
        is_own = language == templates.DEFAULT
        said = Translation() if is_own else read_translation(self._folder / "articles", language)
        return _Spoken(messages, said.problems, {**self._catalogue.words.cures, **said.cures})

    def all(self, request: Request) -> Response:
        """A page with all problems, the most likely first."""
        wanted = self._wanted(request)
        spoken, link = self._spoken(wanted.language), self._link(wanted, self._spoken(wanted.language), "")
        rows = [(code, *link(code)) for code in self._catalogue.rules]
        known = {
            "tab": f"{escape(spoken.messages['article']['title'])} · Firstlight",
            "alternates": "".join(self._alternates(request.url, {})),
            "contents": "".join(f'<li><a href="#{code}">{escape(title)}</a></li>' for code, _, title in rows),
            "entries": "".join(self._entry(code, f"problems/{href}", title, spoken) for code, href, title in rows),
        }
        return HTMLResponse(
            templates.slotted(self._lists[wanted.language], known), headers=self._spoken_headers(wanted)
        )

    def _entry(self, code: str, href: str, title: str, spoken: _Spoken) -> str:
        rule, words, said = self._catalogue.rules[code], spoken.messages["article"], spoken.articles.get(code)
        severity = rule.severity.name.lower()
        noticed = said.noticed if said else self._catalogue.words_of(rule).seen
        facts = [(words["noticed"], noticed), (words["ends"], spoken.cures[rule.cure.says])]
        return (
            f'<section id="{code}"><p class="meta" data-severity="{severity}"><code>{code}</code> · '
            f"{escape(words['severities'][severity])}</p>"
            f'<h2><a href="{escape(href)}">{escape(title)}</a></h2>'
            f"<p>{escape(_plain(spoken.messages['problems'][code]['hint']))}</p>"
            + "".join(f'<p class="fact">{escape(text.replace("{what}", what))}</p>' for text, what in facts)
            + "</section>"
        )

    def page(self, request: Request, rule: Rule) -> Response:
        """The article as a page, in the language that the query names, or else the reader's."""
        wanted = self._wanted(request)
        spoken = self._spoken(wanted.language)
        title = escape(self._title(rule, spoken))
        known = {
            "tab": f"{title} · Firstlight",
            "title": title,
            "article": html(self._blocks(rule, wanted.platform, spoken), self._link(wanted, spoken, "")),
            "platforms": "".join(_options(self._catalogue.platforms.names, wanted.platform)),
            "alternates": "".join(self._alternates(request.url, {"platform": wanted.platform})),
        }
        return HTMLResponse(
            templates.slotted(self._pages[wanted.language], known), headers=self._spoken_headers(wanted)
        )

    def markdown(self, request: Request, rule: Rule) -> Response:
        """The same as Markdown, for agents and terminals."""
        wanted = self._wanted(request)
        spoken = self._spoken(wanted.language)
        text = markdown(self._blocks(rule, wanted.platform, spoken), self._link(wanted, spoken, ".md"))
        meta = f"`{rule.code}` · {self._catalogue.platforms.names[wanted.platform]}"
        said = f"# {self._title(rule, spoken)}\n\n{meta}\n\n{text}\n"
        return Response(said, headers=self._spoken_headers(wanted), media_type=MARKDOWN)

    def _wanted(self, request: Request) -> _Wanted:
        query = request.query_params
        language, platform = query.get("lang", ""), query.get("platform", "")
        asked = {"lang": language} if language in self._pages else {}
        return _Wanted(
            language if asked else language_of(request, self._pages),
            platform if platform in self._catalogue.platforms.names else DEFAULT,
            asked,
        )

    def _spoken_headers(self, wanted: _Wanted) -> dict[str, str]:
        # Vary, or a shared cache would give one person's language to all.
        return {**self._headers, "vary": "accept, accept-language, cookie", "content-language": wanted.language}

    def _link(self, wanted: _Wanted, spoken: _Spoken, ending: str) -> Link:
        query = urlencode({"platform": wanted.platform, **wanted.asked})
        return lambda code: (f"{code}{ending}?{query}", self._title(self._catalogue.rules[code], spoken))

    def _alternates(self, url: URL, query: Mapping[str, str]) -> Iterator[str]:
        """Whole addresses: search engines take no others here. The host is the one that the caller named."""
        for tag in (*self._pages, "x-default"):
            asked = {**query, **({} if tag == "x-default" else {"lang": tag})}
            href = escape(str(url.replace(query=urlencode(asked), fragment="")))
            yield f'<link rel="alternate" hreflang="{tag}" href="{href}">'

    def _title(self, rule: Rule, spoken: _Spoken) -> str:
        outline, said = self._outlines.get(rule.code), spoken.articles.get(rule.code)
        title = (said and said.title) or (outline and outline.title)
        return title or _plain(spoken.messages["problems"][rule.code]["summary"]).rstrip(".。")

    def _blocks(self, rule: Rule, platform: str, spoken: _Spoken) -> Iterator[Block]:
        words, said = spoken.messages["article"], spoken.articles.get(rule.code)
        name = self._catalogue.platforms.names[platform]
        outline = self._outlines.get(rule.code) or self._plainly(rule, name, spoken)
        noticed = said.noticed if said else self._catalogue.words_of(rule).seen
        ended = {"check": (Item(words["ends"].replace("{what}", spoken.cures[rule.cure.says])),)}
        begun = {"tell": (Item(words["noticed"].replace("{what}", noticed)),)}
        for section in SECTIONS:
            own = in_language(outline.items(section), getattr(said, section, ()))
            items = (*begun.get(section, ()), *own, *ended.get(section, ()))
            found = [block for item in items for block in self._item(item, rule, platform, spoken)]
            if found:
                yield Heading(words[section].replace("{platform}", name))
                yield from found

    def _plainly(self, rule: Rule, name: str, spoken: _Spoken) -> Outline:
        """Of a problem that nobody has written of yet, as a host adds one: its own words."""
        hint = _plain(spoken.messages["problems"][rule.code]["hint"])
        return Outline((hint,), (Item(name, "checks"), Item(name, "fix")), ())

    def _item(self, item: Item, rule: Rule, platform: str, spoken: _Spoken) -> Iterable[Block]:
        """A paragraph with what it shows; nothing where it is about others, or promises what this platform has not."""
        platforms = self._catalogue.platforms
        if item.only and not {platform, platforms.family_of_platform(platform)} & {*item.only}:
            return ()
        shown = list(self._shown(item.show, rule, platform, spoken)) if item.show else []
        return () if item.show and not shown else (Text(item.say), *shown)

    def _shown(self, show: str, rule: Rule, platform: str, spoken: _Spoken) -> Iterable[Block]:
        platforms = self._catalogue.platforms
        family = platforms.family_of_platform(platform)
        if show == "fix":
            return (Code(filled(fix, None)) for fix in self._fixes(rule, family))
        if show == "silence":
            return (Text(spoken.note(platforms.hint(name)), True) for name in platforms.hints(family, platform))
        if show == "checks":
            return (Text(said, True) for said in spoken.messages["problems"][rule.code].get("checks", {}).values())
        if show in STEPS:
            return self._step(platform, show, spoken)
        lines = next((self._codes[show][each] for each in (platform, family, ALL) if each in self._codes[show]), ())
        return (Code(filled("\n".join(lines), None)),) if lines else ()

    def _step(self, platform: str, step: str, spoken: _Spoken) -> Iterator[Block]:
        for part in self._snippets.parts(platform, step):
            if part.note:
                yield Text(spoken.note(part.note), True)
            if part.code:
                yield Code(part.code.rstrip("\n"), part.file)

    def _fixes(self, rule: Rule, family: str) -> list[str]:
        own = self._catalogue.platforms.families[family].fixes.items()
        fixes = ["\n".join(lines) for code, lines in own if code.partition(".")[0] == rule.code]
        return fixes or [fix for fix in [self._catalogue.fix_for(rule, family)] if fix and "{" not in fix]


def _options(names: Mapping[str, str], chosen: str) -> Iterator[str]:
    for value, name in names.items():
        yield f'<option value="{value}"{" selected" * (value == chosen)}>{escape(name)}</option>'


def _plain(text: str | Mapping[str, str]) -> str:
    """A template with its gaps as words."""
    said = text if isinstance(text, str) else text["other"]
    return said.replace("{", "‹").replace("}", "›")
