"""`GET /problems/{code}?platform=`: a problem as an article, with the platform's own code. For people; see `reference`.

What is said is in `static/articles.json`: why it happens, how it is mended, how to check that it is. An item may show a
step of the platform (`install`, `configure`, `error`), its fix for the problem (`fix`), what it says of silence
(`silence`), or code of its own. The texts are English alone, and the page says so in other languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..core.diagnosis.catalogue import Catalogue
from ..core.diagnosis.rules import Rule
from ..core.diagnosis.words import Plural
from ..core.model.errors import SettingsError
from . import templates
from .pages import language_of
from .snippets import Part, Snippets, filled

DEFAULT = "python"
"""The platform of a link that names none, or one that is not known."""


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """A paragraph, and what stands below it."""

    say: str
    show: Literal["install", "configure", "error", "fix", "silence"] | None = None
    code: tuple[str, ...] = ()


class Article(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a problem beyond its words on the page.

    Args:
        title: where the summary has gaps, which only a project can fill.
    """

    why: tuple[str, ...]
    mend: tuple[Item, ...]
    check: tuple[Item, ...]
    title: str | None = None


class Articles:
    """All problems as articles.

    Args:
        folder: `static/`.
        headers: what a page may load.

    Raises:
        SettingsError: the file is damaged, or speaks of a problem that there is not.
    """

    def __init__(self, catalogue: Catalogue, snippets: Snippets, folder: Path, headers: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._snippets = snippets
        self._headers = {**headers, "vary": "accept, accept-language, cookie", "content-language": "en"}
        spoken = templates.messages(folder)
        self._words = spoken[templates.DEFAULT]["article"]
        self._notes = {tag: said["article"]["english"] for tag, said in spoken.items()}
        self._page = templates.pages(folder, "site/article.html")[templates.DEFAULT]
        self._articles = _read(folder / "articles.json")
        if strange := self._articles.keys() - catalogue.rules.keys():
            raise SettingsError(f"{folder / 'articles.json'} is damaged: there is no problem {min(strange)}.")

    def answer(self, request: Request, rule: Rule) -> Response:
        """The page of one problem, for the platform that the query names."""
        names, wanted = self._catalogue.platforms.names, request.query_params.get("platform", "")
        platform = wanted if wanted in names else DEFAULT
        language = language_of(request, self._notes)
        note = "" if language == templates.DEFAULT else _note(self._notes[language], language)
        title = escape(self._title(rule))
        known = {
            "tab": f"{title} · Firstlight",
            "title": title,
            "note": note,
            "article": self._article(rule, platform),
            "platforms": "".join(_option(each, name, platform) for each, name in names.items()),
        }
        return HTMLResponse(templates.slotted(self._page, known), headers=self._headers)

    def _title(self, rule: Rule) -> str:
        said = self._articles.get(rule.code)
        return (said and said.title) or _plain(self._catalogue.words_of(rule).summary).removesuffix(".")

    def _article(self, rule: Rule, platform: str) -> str:
        words, said = self._catalogue.words_of(rule), self._articles.get(rule.code)
        name = self._catalogue.platforms.names[platform]
        ended = f"{self._words['ends']} {words_of_cure(self._catalogue, rule)}."
        seen = [Item(f"{self._words['noticed']} {words.seen}.")]
        why = [Item(text) for text in said.why] if said else [Item(_plain(words.hint))]
        mend = said.mend if said else (*(Item(check) for check in words.checks.values()), Item(name, "fix"))
        check = (*(said.check if said else ()), Item(ended))
        parts = {"seen": seen, "why": why, "mend": mend, "check": check}
        return "".join(
            self._section(self._words[title].replace("{platform}", name), items, rule, platform)
            for title, items in parts.items()
        )

    def _section(self, title: str, items: Iterable[Item], rule: Rule, platform: str) -> str:
        body = "".join(self._item(item, rule, platform) for item in items)
        return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""

    def _item(self, item: Item, rule: Rule, platform: str) -> str:
        """A paragraph with what it shows; nothing where it promises what this platform has not."""
        shown = list(self._shown(item, rule, platform))
        if item.show and not shown:
            return ""
        return f"<p>{escape(item.say)}</p>{''.join(map(_part, shown))}"

    def _shown(self, item: Item, rule: Rule, platform: str) -> Iterable[Part]:
        platforms = self._catalogue.platforms
        family = platforms.family_of_platform(platform)
        if item.show == "fix":
            own = platforms.families[family].fixes.items()
            fixes = ["\n".join(lines) for code, lines in own if code.partition(".")[0] == rule.code]
            fixes = fixes or [fix for fix in [self._catalogue.fix_for(rule, family)] if fix and "{" not in fix]
            yield from (Part(code=filled(fix, None)) for fix in fixes)
        elif item.show == "silence":
            names = platforms.hints(family, platform)
            yield from (Part(note=platforms.hint(name)) for name in names)
        elif item.show:
            yield from self._snippets.parts(platform, item.show)
        elif item.code:
            yield Part(code="\n".join(item.code))


def words_of_cure(catalogue: Catalogue, rule: Rule) -> str:
    """What resolves a problem, as a clause."""
    return catalogue.words.cures[rule.cure.says]


def _read(path: Path) -> dict[str, Article]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Article])
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"{path} is damaged: {error}.") from None


def _part(part: Part) -> str:
    note = f'<p class="note">{escape(part.note)}</p>' if part.note else ""
    if not part.code:
        return note
    file = f'<figcaption class="file">{escape(part.file)}</figcaption>' if part.file else ""
    code = escape(part.code.rstrip("\n"))
    return f'{note}<figure class="code">{file}<pre tabindex="0"><code>{code}</code></pre></figure>'


def _note(text: str, language: str) -> str:
    return f'<p class="note" lang="{language}">{escape(text)}</p>'


def _option(value: str, name: str, chosen: str) -> str:
    return f'<option value="{value}"{" selected" * (value == chosen)}>{escape(name)}</option>'


def _plain(text: str | Plural) -> str:
    """A template with its gaps as words."""
    said = text if isinstance(text, str) else text.other
    return said.replace("{", "‹").replace("}", "›")
