"""Other languages and directions, and the user's own colours."""

from __future__ import annotations

from tests.e2e import signals

from ..world import World
from .reach import FIRST, MINIFIED, STATES, opened, raised, state


def in_language(locale: str) -> None:
    """The main states in one."""

    async def waiting(stage: World) -> None:
        await opened(stage, locale=locale)

    async def broken(stage: World) -> None:
        project = await opened(stage, locale=locale)
        await signals.wrong_key(stage.http, project)
        await stage.until("[data-code=unknown_key]")

    async def arrived(stage: World) -> None:
        project = await opened(stage, locale=locale, platform="javascript-react")
        await raised(stage, project, **MINIFIED)
        await stage.until(FIRST)

    for name, reach in (("awaiting", waiting), ("wrong-key", broken), ("first-error", arrived)):
        STATES[f"{name}-{locale}"] = reach


for language in ("de", "es", "fr", "ja", "pt-BR"):
    in_language(language)


@state
async def right_to_left(stage: World) -> None:
    """As a language would have it that is written so."""
    project = await opened(stage)
    await signals.wrong_key(stage.http, project)
    await stage.until("[data-code=unknown_key]")
    await stage.each(lambda page: page.evaluate("document.documentElement.dir = 'rtl'"))


@state
async def right_to_left_error(stage: World) -> None:
    project = await opened(stage)
    await raised(stage, project)
    await stage.until(FIRST)
    await stage.each(lambda page: page.evaluate("document.documentElement.dir = 'rtl'"))


@state
async def forced_colours(stage: World) -> None:
    project = await opened(stage, forced_colors="active")
    await signals.wrong_key(stage.http, project)
    await stage.until("[data-code=unknown_key]")


@state
async def forced_colours_error(stage: World) -> None:
    project = await opened(stage, forced_colors="active")
    await raised(stage, project)
    await stage.until(FIRST)
