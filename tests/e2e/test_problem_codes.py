"""Every problem, provoked by what really provokes it, seen on the open page, and seen to end when it is mended."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import brotli
import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, expect

from server.core.diagnosis.rules import RULES, Severity
from server.core.model.codes import Code
from server.limits import Limits, SdkLimits
from server.settings import Settings
from tests.support.server import ServerProcess
from tests.support.tampering_proxy import Asked, TamperingProxy
from tests.support.waiting import until_answer
from tests.support.warped import WarpedServer

from . import apps, signals
from .conftest import MakeProject, Stage
from .scene import WRONG_KEY, Scene

SEVERITY: dict[str, Severity] = {rule.code: rule.severity for rule in RULES}
WIRE = Path(__file__).parents[1] / "wire"
PATIENCE = 10.0
"""Seconds in which a problem must stand on the page; what it really takes is printed."""

_APPEARS = """(code) => new Promise((done) => {
  const look = () => document.querySelector(`.problems-list [data-code="${code}"][data-resolved="false"]`)
    && (observer.disconnect(), done(performance.timeOrigin + performance.now()));
  const observer = new MutationObserver(look);
  observer.observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
})"""


class End(Enum):
    """How a problem ends on the page."""

    RESOLVED = "resolved"
    GONE = "gone"
    NEVER = "never"


Act = Callable[[Scene], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """One problem.

    Args:
        provoke: what causes it.
        cure: what mends it.
        evidence: what the page must show of it, as patterns by name.
        checks: parts of what the page says to look at.
        warped: whether time has to pass.
        fresh: whether it needs a project and a page of its own.
    """

    provoke: Act
    cure: Act = Scene.sends_an_error
    end: End = End.RESOLVED
    evidence: dict[str, str] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    warped: bool = False
    fresh: bool = False


# How each is provoked.


async def wrong_key(scene: Scene) -> None:
    said = await scene.python("1 / 0", dsn=scene.wrong_dsn)
    assert "ZeroDivisionError" in said
    assert "403" not in said  # the SDK says nothing: only the page can


async def disabled_key(scene: Scene) -> None:
    scene.stage.allow("status of 403 .*/heartbeat/")  # the page asks by itself whether its key gets through
    project = f"{scene.project.server}/projects/{scene.project.id}"
    assert (await scene.http.delete(f"{project}/keys/{scene.project.key}")).status_code == 204
    await scene.python("1 / 0")


async def enabled_key(scene: Scene) -> None:
    made = (await scene.http.post(f"{scene.project.server}/projects/{scene.project.id}/keys")).json()
    assert made["key"] != scene.project.key
    await scene.python("1 / 0", dsn=made["dsn"])


async def mixed_dsn(scene: Scene) -> None:
    scene.other = await scene.make_project(scene.project.server, "the key's")
    await scene.python("1 / 0", dsn=scene.project.dsn.replace(scene.project.key, scene.other.key))


async def no_key(scene: Scene) -> None:
    assert "sentry_key" in await scene.curl(scene.api("envelope"), "--data-binary '{}'")


async def two_keys(scene: Scene) -> None:
    auth = f"-H 'X-Sentry-Auth: Sentry sentry_key={WRONG_KEY}'"
    await scene.curl(scene.project.api("envelope"), auth, "--data-binary '{}'")


async def stripped_prefix(scene: Scene) -> None:
    def strip(asked: Asked) -> Asked:
        asked.path = asked.path.removeprefix("/api")
        return asked

    with TamperingProxy(scene.project.server, strip) as proxy:
        await scene.python("1 / 0", dsn=scene.through(proxy))


async def wrong_tunnel(scene: Scene) -> None:
    dsn = re.sub(r"/\d+$", "/424242", scene.project.dsn)
    await scene.node("throw new Error('lost');", f'tunnel: "{scene.project.api("envelope")}"', dsn)


async def no_minidump(scene: Scene) -> None:
    assert "minidump" in await scene.curl(scene.project.api("minidump"), "-F upload_file_minidump=@main.sh")


async def damaged_envelope(scene: Scene) -> None:
    damaged = r"""printf '{}\n{"type":"event","length":999}\n{}'"""
    command = f"{damaged} | curl -s --data-binary @- '{scene.project.api('envelope')}'\n"
    assert "byte 3" in await apps.run("curl", command, scene.folder)


async def no_json(scene: Scene) -> None:
    assert "JSON" in await scene.curl(scene.project.api("store"), "-d 'event=1&level=error'")


async def wrong_field(scene: Scene) -> None:
    body = '{"type": "heartbeat", "interval": "30 seconds"}'
    assert "interval" in await scene.curl(scene.project.api("heartbeat"), f"-d '{body}'")


async def unpacking_proxy(scene: Scene) -> None:
    def unpack(asked: Asked) -> Asked:
        asked.body = brotli.decompress(asked.body)  # and leaves the header
        return asked

    with TamperingProxy(scene.project.server, unpack) as proxy:
        await scene.python("1 / 0", dsn=scene.through(proxy))


async def large_attachment(scene: Scene) -> None:
    attach = "sentry_sdk.get_isolation_scope().add_attachment(bytes=bytes(21 * 2**20), filename='core')"
    await scene.python(f"{attach}\n1 / 0")


async def too_many(scene: Scene) -> None:
    await scene.python("for number in range(60): sentry_sdk.capture_exception(ValueError(number))")


async def sends_a_first_log(scene: Scene) -> None:
    """Something new, which always passes, after a pause; a heartbeat passes as well, and so proves nothing."""
    scene.warped.jump(6)
    header = {"sdk": {"name": "sentry.python", "version": "2.75.0"}}
    await signals.envelope(scene.http, scene.project, header, {"type": "log"}, {"items": []})


async def drops_all(scene: Scene) -> None:
    await scene.python("1 / 0", "before_send=lambda event, hint: None")


async def message(scene: Scene) -> None:
    await scene.python("sentry_sdk.capture_message('hello')")


async def sample(scene: Scene) -> None:
    await scene.python("sentry_sdk.set_tag('sample_event', 'yes')\n1 / 0")


async def slow_clock(scene: Scene) -> None:
    """As if by a clock that is three hours behind."""
    behind = (
        "import datetime, sentry_sdk.client as client\n"
        "class Behind(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None): return datetime.datetime.now(tz) - datetime.timedelta(hours=3)\n"
        "client.datetime = Behind\n"
    )
    await scene.python(f"{behind}1 / 0")


async def old_endpoint(scene: Scene) -> None:
    """Byte by byte what sentry-sdk 1.45 sent."""
    told = json.loads((WIRE / "py1-error-01.json").read_text())
    assert told["target"].endswith("/store/")
    headers = {
        name: value.replace("0123456789abcdef0123456789abcdef", scene.project.key)
        for name, value in dict(told["headers"]).items()
        if name.lower() in ("x-sentry-auth", "content-encoding", "content-type", "user-agent")
    }
    body = (WIRE / "py1-error-01.body").read_bytes()
    assert (await scene.http.post(scene.api("store"), content=body, headers=headers)).status_code == 200


async def foreign_viewer(scene: Scene) -> None:
    url = f"{scene.project.live}/ws".replace("http", "ws", 1)
    script = f"() => new Promise((done) => {{ new WebSocket('{url}').onerror = () => done(); }})"
    await scene.in_foreign_page(script, allow="WebSocket connection to")


async def exit_before_flush(scene: Scene) -> None:
    """An error that never leaves: the process ends at once."""
    await scene.python("import os\nsentry_sdk.capture_exception(ValueError())\nos._exit(0)")
    for seconds in (21, 40, 120):
        scene.warped.jump(seconds)


async def forbidden_header(scene: Scene) -> None:
    options = "{ method: 'POST', body: '{}', headers: { 'X-Shop': 'lamps' } }"
    script = f"() => fetch('{scene.project.api('envelope')}', {options}).catch(() => null)"
    await scene.in_foreign_page(script, allow="CORS policy|ERR_FAILED")
    scene.warped.jump(6)


async def blocker(scene: Scene) -> None:
    scene.stage.allow("ERR_BLOCKED_BY_CLIENT")
    await scene.tab.page.route("**/api/**", lambda route: route.abort("blockedbyclient"))
    await scene.tab.page.reload()


async def no_blocker(scene: Scene) -> None:
    await scene.tab.page.unroute("**/api/**")
    await scene.tab.page.locator(".over .check-setup").click()


async def traces(scene: Scene) -> None:
    body = "with sentry_sdk.start_transaction(name='cart', op='task'): pass"
    await scene.python(body, 'release="shop@1.4.0", traces_sample_rate=1.0')
    await scene.tab.shows("connected")
    scene.warped.jump(11)


async def sessions(scene: Scene) -> None:
    await scene.browser("", 'release: "shop@1.4.0"')
    await scene.tab.shows("connected")
    scene.warped.jump(11)


async def stops_beating(scene: Scene) -> None:
    code = f'import firstlight_heartbeat\nfirstlight_heartbeat.start("{scene.project.dsn}", interval=60)\ninput()\n'
    async with apps.running("python", code, scene.folder):
        await scene.tab.shows("connected")
    scene.warped.jump(151)


async def contradiction(scene: Scene) -> None:
    await scene.python("import firstlight_heartbeat\nfirstlight_heartbeat.start()", "sample_rate=0.0")


async def old_sdk(scene: Scene) -> None:
    await scene.node("throw new Error('old');", package="sentry-node-7")


async def new_sdk(scene: Scene) -> None:
    await scene.node("throw new Error('new');")


async def no_release(scene: Scene) -> None:
    await scene.python("1 / 0", "")


async def no_environment(scene: Scene) -> None:
    url = f"{scene.project.api('store')}&sentry_client=sentry.python/2"
    await scene.curl(url, """-d '{"message": "no environment", "release": "1"}'""")


MASKED = {"key": rf"^…{WRONG_KEY[-4:]}$"}

CASES: dict[str, Case] = {
    Code.UNKNOWN_KEY: Case(wrong_key, evidence=MASKED),
    Code.DISABLED_KEY: Case(disabled_key, enabled_key, fresh=True, evidence={"key": "^…[0-9a-f]{4}$"}),
    Code.KEY_OF_OTHER_PROJECT: Case(mixed_dsn, evidence={"key": "^…[0-9a-f]{4}$"}),
    Code.MISSING_KEY: Case(no_key),
    Code.CONFLICTING_KEYS: Case(two_keys),
    Code.PROJECT_MISMATCH: Case(wrong_tunnel, evidence={"dsn": "^424242$", "url": r"^\d+$"}),
    Code.WRONG_PATH: Case(stripped_prefix, evidence={"path": r"^/\d+/envelope/$", "expected": r"^/api/\d+/envelope/$"}),
    Code.BAD_REQUEST: Case(no_minidump, evidence={"detail": "minidump"}),
    Code.MALFORMED_ENVELOPE: Case(
        damaged_envelope, evidence={"offset": "^3$", "line": '"length":999', "reason": "999"}
    ),
    Code.INVALID_JSON: Case(no_json, evidence={"detail": "not JSON"}),
    Code.INVALID_HEARTBEAT: Case(wrong_field, Scene.beats, evidence={"field": "^interval$"}),
    Code.UNSUPPORTED_ENCODING: Case(unpacking_proxy, evidence={"encoding": "^br$"}),
    Code.TOO_LARGE: Case(large_attachment, evidence={"limit": "^20971520$"}),
    Code.RATE_LIMITED: Case(too_many, sends_a_first_log, warped=True),
    Code.DROPPED_BY_SDK: Case(drops_all, evidence={"reason": "^before_send$", "what": "^1 error$"}),
    Code.MESSAGE_NOT_ERROR: Case(message, evidence={"title": "^hello$", "level": "^info$"}),
    Code.SAMPLE_ONLY: Case(sample, evidence={"title": "ZeroDivisionError"}),
    Code.CLOCK_SKEW: Case(slow_clock, lambda scene: scene.python("1 / 0"), evidence={"skew": "^3 hours behind$"}),
    Code.LEGACY_STORE_ENDPOINT: Case(old_endpoint),
    Code.ORIGIN_BLOCKED: Case(foreign_viewer, end=End.NEVER, evidence={"origin": r"^http://127\.0\.0\.1:\d+$"}),
    "silence": Case(
        exit_before_flush,
        warped=True,
        evidence={"waited": "^3 min$"},
        checks=("restarted", "before anything is sent", "container", "firewall"),
    ),
    "cors_preflight_only": Case(forbidden_header, end=End.GONE, warped=True),
    "browser_blocked": Case(blocker, no_blocker, fresh=True),
    "only_transactions": Case(traces, warped=True),
    "only_sessions": Case(sessions, warped=True),
    "quiet": Case(
        stops_beating,
        Scene.beats,
        End.GONE,
        warped=True,
        evidence={"interval": "^60 s$", "last signal": "^heartbeat$"},
    ),
    "config_contradiction": Case(contradiction, Scene.beats, End.GONE, checks=("sample_rate is 0",)),
    "outdated_sdk": Case(old_sdk, new_sdk, End.GONE, evidence={"sdk": r"^sentry\.javascript\.node 7\."}),
    "missing_release": Case(no_release, end=End.GONE),
    "missing_environment": Case(no_environment, end=End.GONE),
}


def test_every_problem_has_its_case() -> None:
    # A line, what needs a proxy that speaks TLS, and what needs a product that is named: they have tests of their own,
    # below, in test_problems and in doors/test_products.
    assert set(CASES) == set(SEVERITY) - {"keyless_requests", "http_dsn", "not_kept"}


@pytest.fixture(scope="module")
def warped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarpedServer]:
    """A server whose time can be moved on, and that takes less at once than others."""
    settings = Settings(data=tmp_path_factory.mktemp("warped") / "firstlight.db")
    with WarpedServer(settings, Limits(sdk=SdkLimits(project_rate=1.0, project_burst=20.0))) as server:
        yield server


@pytest.fixture(scope="module")
async def profile(browser: Browser, warped: WarpedServer, embedded_server: ServerProcess) -> AsyncIterator[Profile]:
    """One browser profile for all pages here: what they load is cached."""
    async with AsyncExitStack() as stack:
        stage = Stage(browser, stack)
        yield Profile(stage, await stage.context(warped.url, embedded_server.url))


@dataclass
class Profile:
    """A browser profile, who watches over it, and the scenes in it that are used again."""

    stage: Stage
    context: BrowserContext
    kept: dict[str, Scene] = field(default_factory=dict)


MakeScene = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def make_scene(
    profile: Profile,
    warped: WarpedServer,
    embedded_server: ServerProcess,
    make_project: MakeProject,
    tmp_path: Path,
) -> AsyncIterator[MakeScene]:
    """A project with its page open: a fresh one, or the last one again, which starts over without being loaded."""
    made: list[Scene] = []
    async with httpx2.AsyncClient(timeout=30, headers={"connection": "close"}) as http:

        async def make(is_warped: bool = False, platform: str | None = None) -> Scene:
            project = await make_project(warped.url if is_warped else embedded_server.url, platform=platform)
            tab = await profile.stage.open(project, profile.context)
            made.append(Scene(project, tab, profile.stage, http, make_project, warped, tmp_path))
            return made[-1]

        async def make_or_keep(is_warped: bool = False, platform: str | None = None, fresh: bool = True) -> Scene:
            server = warped.url if is_warped else embedded_server.url
            kept = profile.kept.get(server)
            if fresh or kept is None:
                scene = await make(is_warped, platform)
                if not fresh:
                    profile.kept[server] = scene
                return scene
            kept.http, kept.folder, kept.other = http, tmp_path, None
            assert (await http.post(f"{server}/projects/{kept.project.id}/reset")).status_code == 200
            await kept.tab.shows("awaiting")
            await expect(kept.tab.page.locator(".problems-list > li")).to_have_count(0)
            return kept

        yield make_or_keep
    for scene in made:
        if scene not in profile.kept.values():
            await scene.tab.page.close()
    profile.stage.verify()


@pytest.mark.parametrize("code", CASES)
async def test_a_problem_is_seen_with_what_to_do_and_ends(
    make_scene: MakeScene, measured: Callable[[str, float], None], code: str
) -> None:
    case = CASES[code]
    scene = await make_scene(case.warped, fresh=case.fresh)
    if case.warped or code == "browser_blocked":  # no time of the server's to compare with
        await case.provoke(scene)
        await is_shown(scene, code, case)
    else:
        async with appearance(scene, code) as appeared:
            await case.provoke(scene)
            await is_shown(scene, code, case)
            received = datetime.fromisoformat((await problem(scene, code))["first_at"]).timestamp()
            measured(f"request → problem on the page: {code}", await appeared - received)
    if case.end is not End.NEVER:
        await case.cure(scene)
        await has_ended(scene, code, case.end)


@asynccontextmanager
async def appearance(scene: Scene, code: str) -> AsyncIterator[asyncio.Task[float]]:
    """When a problem is first drawn, in seconds since the Unix epoch."""

    async def watch() -> float:
        return float(await scene.tab.page.evaluate(_APPEARS, code)) / 1000

    watching = asyncio.create_task(watch())
    try:
        yield watching
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def is_shown(scene: Scene, code: str, case: Case | None = None) -> None:
    """On the open page: what happened, why, what to do, by what it is evident; and no key, and no gap in a text."""
    row = scene.tab.problem(code)
    await expect(row).to_have_attribute("data-resolved", "false", timeout=PATIENCE * 1000)
    if SEVERITY[code] is Severity.NOTE:
        notes = scene.tab.page.locator(".problems-list .notes > details")
        if not await notes.evaluate("it => it.open"):
            await notes.locator("> summary").click()
    told = await words(scene, code)
    await expect(row.locator(".hint").first).to_contain_text(told["hint"], ignore_case=True)
    if code != "silence":  # nothing is wrong yet, so it has a title of its own
        await expect(row.locator(".summary").first).to_have_text(told["summary"])
    text = await row.inner_text()
    assert "{" not in told["summary"] + told["hint"]
    for name, pattern in (case.evidence if case else {}).items():
        assert re.search(pattern, told["evidence"][name]), told["evidence"]
        seen = (await row.text_content() or "").replace(",", "")
        # What is more than a name, the page says in words of its own: numbers, and why something was refused.
        assert told["evidence"][name] in seen or re.search(pattern, seen), seen
    for part in case.checks if case else ():
        assert part in text
    assert told["docs"] == f"problems#{code}"
    content = await scene.tab.page.content()
    assert WRONG_KEY not in content
    if scene.other:
        assert scene.other.key not in content


async def words(scene: Scene, code: str) -> dict[str, Any]:
    """What the server says of a problem; what only the page can see is said without a project."""
    if code != "browser_blocked":
        return await problem(scene, code)
    answer = await scene.http.get(f"{scene.project.server}/problems/{code}")
    return {**answer.json(), "evidence": {}}


async def problem(scene: Scene, code: str) -> dict[str, Any]:
    found = {problem["code"]: problem for problem in (await scene.snapshot())["problems"]}
    return dict(found[code])


async def has_ended(scene: Scene, code: str, end: End) -> None:
    row = scene.tab.problem(code)
    if end is End.RESOLVED:
        await expect(row).to_have_attribute("data-resolved", "true", timeout=PATIENCE * 1000)
        await expect(row.locator(".meta").first).to_contain_text("Resolved")
    else:
        await expect(row).to_have_count(0, timeout=PATIENCE * 1000)


# What one row for each problem cannot say.


@pytest.mark.parametrize("sdk", ["node", "browser"])
async def test_a_wrong_key_of_other_sdks(make_scene: MakeScene, sdk: str) -> None:
    scene = await make_scene(platform="node" if sdk == "node" else "javascript-browser")
    if sdk == "node":
        assert "403" not in await scene.node("throw new Error('nobody knows');", dsn=scene.wrong_dsn)
    else:
        capture = "Sentry.captureException(new Error('nobody knows'));"
        await scene.browser(capture, dsn=scene.wrong_dsn, allow="status of 403")
    await is_shown(scene, Code.UNKNOWN_KEY, CASES[Code.UNKNOWN_KEY])
    fix = scene.tab.problem(Code.UNKNOWN_KEY).locator("pre")
    await expect(fix).to_contain_text(scene.project.dsn)
    if sdk == "node":
        await scene.node("throw new Error('found');")
    else:
        await scene.browser("Sentry.captureException(new Error('found'));")
    await has_ended(scene, Code.UNKNOWN_KEY, End.RESOLVED)


async def test_a_mixed_dsn_is_told_on_the_page_of_the_key_too(make_scene: MakeScene) -> None:
    """Somebody waits at the key's project, and its owner is not told more than which key and where it went."""
    scene = await make_scene()
    mine = await make_scene()
    dsn = scene.project.dsn.replace(scene.project.key, mine.project.key)
    await scene.python("1 / 0", dsn=dsn)
    await is_shown(mine, Code.KEY_OF_OTHER_PROJECT)
    await is_shown(scene, Code.KEY_OF_OTHER_PROJECT)
    assert mine.project.key not in await scene.tab.page.content()
    await mine.python("1 / 0")
    await has_ended(mine, Code.KEY_OF_OTHER_PROJECT, End.RESOLVED)
    await expect(scene.tab.problem(Code.KEY_OF_OTHER_PROJECT)).to_have_attribute("data-resolved", "false")


@pytest.mark.parametrize("sdk", ["python", "node"])
async def test_a_sample_rate_of_zero(make_scene: MakeScene, sdk: str) -> None:
    scene = await make_scene(platform=sdk)
    if sdk == "python":
        await scene.python("1 / 0", "sample_rate=0.0")
    else:
        await scene.node("Sentry.captureException(new Error('dropped'));", "sampleRate: 0")
    await is_shown(
        scene, Code.DROPPED_BY_SDK, Case(wrong_key, evidence={"reason": "^sample_rate$", "what": "^1 error$"})
    )
    await scene.sends_an_error()
    await has_ended(scene, Code.DROPPED_BY_SDK, End.RESOLVED)


async def test_silence_says_more_the_longer_it_lasts(make_scene: MakeScene) -> None:
    scene = await make_scene(is_warped=True, platform="python")
    row = scene.tab.problem("silence")
    checks = row.locator(".checks li")
    scene.warped.jump(18)
    await expect(row).to_have_count(0)
    counts = []
    for seconds, waited in ((3, "20 s"), (40, "60 s"), (120, "3 min")):
        scene.warped.jump(seconds)
        await expect(row.locator(".hint")).to_contain_text(waited)
        counts.append(await checks.count())
    assert counts == sorted(set(counts))
    await expect(row).to_contain_text("sentry_sdk.flush()")
    await expect(row.locator("pre")).to_contain_text(f"sentry_key={scene.project.key}")
    await scene.beats()
    await has_ended(scene, "silence", End.RESOLVED)


async def test_an_open_problem_takes_the_place_of_silence(make_scene: MakeScene) -> None:
    scene = await make_scene(is_warped=True)
    await signals.wrong_key(scene.http, scene.project, WRONG_KEY)
    await is_shown(scene, Code.UNKNOWN_KEY)
    scene.warped.jump(200)

    async def is_later() -> bool:
        found = await scene.snapshot()
        return not any(problem["code"] == "silence" for problem in found["problems"])

    assert await until_answer(is_later)
    await expect(scene.tab.problem("silence")).to_have_count(0)


async def test_a_beat_every_second_is_missed_after_two_and_a_half(make_scene: MakeScene) -> None:
    """In real time."""
    scene = await make_scene()
    code = f'import firstlight_heartbeat\nfirstlight_heartbeat.start("{scene.project.dsn}", interval=1)\ninput()\n'
    async with apps.running("python", code, scene.folder):
        await scene.tab.shows("connected")
    await is_shown(scene, "quiet", Case(stops_beating, evidence={"interval": "^1 s$"}))
    async with apps.running("python", code, scene.folder):
        await has_ended(scene, "quiet", End.GONE)


async def test_what_strangers_send_is_one_calm_line(make_scene: MakeScene) -> None:
    """As any web page can make a browser do: nothing of it is said, and help for whoever waits goes on."""
    scene = await make_scene(is_warped=True)
    headers = ("-H 'Origin: https://elsewhere.example'", "--data-binary '{\"evil\": 1}'")
    for number in (1, 2, 3):
        url = scene.api("envelope").replace("/api/", "/evil/api/")
        assert "key" in await scene.curl(url, *headers)
        row = scene.tab.problem(Code.KEYLESS_REQUESTS)
        said = f"{number} request{'s' if number > 1 else ''} arrived without a valid key."
        await expect(row.locator("summary").first).to_have_text(said, timeout=PATIENCE * 1000)
    await expect(row).to_have_attribute("data-severity", "note")
    scene.warped.jump(21)
    await expect(scene.tab.problem("silence")).to_have_count(1, timeout=PATIENCE * 1000)
    content = await scene.tab.page.content()
    assert "evil" not in content
    assert "elsewhere" not in content
