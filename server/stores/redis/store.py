"""The Redis store: one server or several, many processes.

A project is a few keys in one hash slot, see `layout`. Whatever changes them is one Lua script, which takes its times
from the server's clock and publishes a wake-up that names the project. The lists of all projects and of all keys are an
index in a slot of its own: written after the project, and repaired at the next start if a process died in between.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec

from ...core.model.errors import StoreRejected, StoreUnavailable
from ...core.model.project import Key, Project
from ...core.state.change import Change
from ...core.state.clocks import aged, written
from ...core.state.fields import Effect, Update
from ...core.state.view import View
from .. import Listener, Origin
from .answers import PROJECT, change_of, project_of, view_of
from .clocks import Clocks
from .connection import Connection
from .inspection import Finding, Severity
from .layout import FORMAT, FORMAT_KEY, IDS, KEYS, PENDING
from .scripts import Command, Script
from .wakeups import Wakeups, looks

log = logging.getLogger("firstlight.stores.redis")

COMMAND_SECONDS = 2.0
"""How long a call may take, with the wait for a connection: a hung server must not hang requests."""
PROBE_SECONDS = 10.0
"""Between two probes that the process sends to itself through Redis."""
LOOK_SECONDS = 1.0
"""Between two looks at where the masters are. After a failover the old one may take writes for 10 s, and loses them."""
DEAF_SECONDS = 20.0
"""A link that brings no probe for so long is dead, although it raises nothing."""
BACKOFF_SECONDS = 1.0
"""The longest pause between two attempts to build the link."""

ID_BITS = 62
"""Of a new project's id, which is random: a counter that a failover sets back would give ids out twice."""

_APPLY, _READ = Script("common", "view", "joins", "apply"), Script("common", "view", "read")
_TOUCH = Script("common", "view", "touch")
_RESTORE = Script("common", "joins", "restore")
_PUT, _DELETE, _RESET = Script("common", "put"), Script("common", "delete"), Script("common", "reset")
_REVOKE = Script("common", "revoke")
_INDEX = Script("index")

_NOWHERE = Origin()


class RedisStore:
    """A store for many processes, on Redis 6 or newer.

    Args:
        url: see `address`; may hold a password, which is never shown.
        new_epoch: makes a fresh epoch.
        keep_seconds: how long the state of a project is kept after its last change; None for good.
        wait_for_replica: answer a transition only when a replica has it, too, where there is one and it is in time.
        command_seconds, probe_seconds, look_seconds, deaf_seconds, backoff_seconds: see the constants.
        monotonic: seconds, by a clock that nobody sets.
    """

    def __init__(
        self,
        url: str,
        new_epoch: Callable[[], str],
        *,
        keep_seconds: float | None = None,
        wait_for_replica: bool = False,
        command_seconds: float = COMMAND_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        look_seconds: float = LOOK_SECONDS,
        deaf_seconds: float = DEAF_SECONDS,
        backoff_seconds: float = BACKOFF_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._new_epoch = new_epoch
        self._wait_for_replica = wait_for_replica
        self._keep = int((keep_seconds or 0) * 1000)
        self._clocks = Clocks(monotonic)
        self._server = Connection(url, command_seconds)
        self._wakeups = Wakeups(self._server, probe_seconds, look_seconds, deaf_seconds, backoff_seconds)

    async def __aenter__(self) -> Self:
        """Open it. A server that is out of reach is waited for in the background; until then, `ping` raises.

        Raises:
            SettingsError: the URL is malformed, or the server refuses it (a wrong password, too old).
        """
        await self._server.open()
        await self._wakeups.open()
        try:
            await self._migrate()
            await self._repair_index()
        except StoreUnavailable as error:
            log.info("The index is not looked at now: %s", error)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._wakeups.close()
        await self._server.close()

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found when the servers were last looked at; empty if they never were."""
        return self._server.findings

    def listen(self, listener: Listener) -> None:
        self._wakeups.listeners.append(listener)

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        while True:  # until the id is free
            number = 1 + secrets.randbelow(2**ID_BITS)
            created = await self._put(Project(number, name, platform, (Key(key),), 0), "new")
            if created is not None:
                return created

    async def put(self, project: Project) -> Project:
        return await self._put(project, "any") or project

    async def edit(self, project: Project) -> Project | None:
        return await self._put(project, "edit")

    async def delete(self, project_id: int) -> bool:
        # First the note, then the deed: killed in between, the next start finds a note too many, which costs one
        # lookup. The other way round the index would stay wrong for good.
        await self._announce(project_id)
        old = await self._do(_DELETE, project_id)
        await self._index(project_id, "", old or "")
        return old is not None

    async def revoke(self, project_id: int, token_id: str | None, at: int) -> bool:
        return bool(await self._do(_REVOKE, project_id, token_id or "", at))

    async def list(self, after: int, limit: int) -> list[Project]:
        # By member, not by score: a score is a double, and ids above 2^53 would run into each other.
        members = await self._server.run("ZRANGEBYLEX", IDS, f"({_member(after)}", "+", "LIMIT", 0, limit)
        keys = [self._keys(int(member))[0] for member in members]
        found = await self._server.send([("HMGET", key, *PROJECT) for key in keys])
        # The index is a step behind the projects: one that was just deleted is still in it, and has nothing to show.
        return [project_of(*held) for held in found if not isinstance(held, StoreRejected) and held[0]]

    async def owner_of(self, key: str) -> int | None:
        # `~` comes after every digit, so this is every entry of the key; padded ids make the first one the smallest.
        found = await self._server.run("ZRANGEBYLEX", KEYS, f"[{key}:", f"[{key}:~", "LIMIT", 0, 1)
        return int(found[0].rpartition(":")[2]) if found else None

    async def reset(self, project_id: int, epoch: str) -> bool:
        return bool(await self._server.run(*_RESET.call(self._keys(project_id), *self._head(project_id, epoch))))

    async def restore(self, view: View) -> bool:
        project, values = view.project, list[str | int]()
        for field, value in view.state.items():
            values += (field, field.joined_by, *written(value))
        text = msgspec.json.encode(project).decode()
        revoked = "".join(f"{token}\n" for token in sorted(project.revoked))
        told = (
            project.created_at,
            project.revision,
            project.tokens_valid_from,
            revoked,
            view.epoch,
            view.version,
            view.began,
        )
        await self._announce(project.id)
        found = bool(await self._do(_RESTORE, project.id, text, *told, *values))
        await self._index(project.id, text if found else "", "" if found else text)
        return found

    async def read(self, project_id: int) -> View | None:
        asked_at = self._clocks.monotonic()
        found = await self._do(_READ, project_id)
        if found is None:
            return None
        view = view_of(*found)
        self._clocks.note(self._server.layout.channel_of(project_id), view.now, asked_at)
        return view

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        numbers = list(project_ids)
        # Plain reads: a script would start an epoch for a state that has expired. One without an epoch is left out,
        # differs from what the hub holds, and so is read.
        found = await self._server.send([("HMGET", self._keys(number)[1], "@epoch", "@version") for number in numbers])
        readable = [(n, pair) for n, pair in zip(numbers, found, strict=True) if not isinstance(pair, StoreRejected)]
        return {number: (epoch, int(version)) for number, (epoch, version) in readable if epoch}

    async def apply(
        self,
        updates: Mapping[int, Update],
        now: int,
        origins: Mapping[int, Origin] | None = None,
        shown: Container[int] = (),
    ) -> Mapping[int, Change | StoreRejected]:
        known = origins or {}
        commands = [
            self._apply(number, update, now, known.get(number, _NOWHERE), number in shown)
            for number, update in updates.items()
        ]
        found = zip(updates, await self._server.send(commands), strict=True)
        changes = {number: change_of(answer) for number, answer in found if answer is not None}
        if self._wait_for_replica:
            await self._acknowledge(changes)
        return changes

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        found = await self._server.send([self._call(_TOUCH, number, *what) for number, what in seen.items()])
        return [number for number, raised in zip(seen, found, strict=True) if raised == 1]

    async def look(self, project_ids: Iterable[int]) -> None:
        layout, told = self._server.layout, defaultdict[str, list[int]](list)
        for number in project_ids:
            told[layout.channel_of(number)].append(number)
        said = [(channel, words) for channel, numbers in told.items() for words in looks(numbers)]
        await self._server.send([(layout.publish, channel, words) for channel, words in said])

    async def unheard(self) -> float:
        return self._wakeups.unheard()

    async def ping(self) -> Sequence[str]:
        await self._server.prove_all()
        self._wakeups.check()  # nobody would be woken
        return [finding.line for finding in self.findings if finding.severity is Severity.WARNING]

    async def _acknowledge(self, changes: Mapping[int, Change | StoreRejected]) -> None:
        """Wait a moment for a replica to have the transitions: a failover would lose what only the master has."""
        further = [
            n for n, change in changes.items() if isinstance(change, Change) and change.effect is Effect.TRANSITION
        ]
        if further:
            with contextlib.suppress(StoreUnavailable):  # it is stored all the same
                await self._server.acknowledge(map(self._server.layout.channel_of, further))

    def _apply(self, project_id: int, update: Update, now: int, origin: Origin, is_shown: bool) -> Command:
        # Ages, not times: this host's clock and the server's may be minutes apart, and only one of them may order
        # things.
        values = (part for field, number, text in aged(update, now) for part in (field, field.kind, number, text))
        sent_at = self._clocks.now(self._server.layout.channel_of(project_id))
        told = (origin.epoch or "", origin.number, origin.settled, int(origin.is_late), sent_at, int(is_shown))
        # A key that is not there holds a script up while a slot moves, see `_do`.
        taken = (self._server.layout.taken_of(project_id, origin.writer),) if origin.number else ()
        return _APPLY.call(
            (*self._keys(project_id), *taken), *self._head(project_id, self._new_epoch()), *told, *values
        )

    async def _put(self, project: Project, mode: str) -> Project | None:
        text = msgspec.json.encode(project).decode()
        await self._announce(project.id)
        found = await self._do(_PUT, project.id, text, mode, project.revision)
        if found is None:
            return None
        held, old = found
        await self._index(project.id, text, old or "")
        return project_of(*held)

    async def _do(self, script: Script, project_id: int, *values: str | int) -> Any:
        return await self._server.run(*self._call(script, project_id, *values))

    def _call(self, script: Script, project_id: int, *values: str | int) -> Command:
        keys: tuple[str, ...] = self._keys(project_id)
        # Only where it is needed: while a slot moves, a cluster refuses scripts of which some keys are there and some
        # are not, and this one seldom is.
        if script in (_PUT, _DELETE, _RESTORE):
            keys = (*keys, self._server.layout.deleted_of(project_id))
        return script.call(keys, *self._head(project_id, self._new_epoch()), *values)

    def _head(self, project_id: int, epoch: str) -> tuple[str | int, ...]:
        """What every script about one project is told first; see common.lua."""
        layout = self._server.layout
        return f"{layout.publish} {layout.channel_of(project_id)}", project_id, epoch, self._keep

    def _keys(self, project_id: int) -> tuple[str, str]:
        return self._server.layout.keys_of(project_id)

    async def _announce(self, project_id: int) -> None:
        """Note that the index of a project is about to be behind, and of what, so that the next start can repair it."""
        old = await self._server.run("HGET", self._keys(project_id)[0], "project")
        await self._server.run("HSET", PENDING, _member(project_id), old or "")

    async def _index(self, project_id: int, new: str, old: str) -> None:
        await self._server.run(*_INDEX.call((IDS, KEYS, PENDING), _member(project_id), new, old))

    async def _migrate(self) -> None:
        """Bring what is kept up to today's format. A later one has ended the start before, see `inspection`."""
        # Format 1 is what was kept before there were numbers. A later one changes what is there before it says so, as
        # a process may die in between, and has to find it done or not done.
        await self._server.run("SET", FORMAT_KEY, FORMAT)

    async def _repair_index(self) -> None:
        """Write the index of projects whose last writer did not get that far."""
        left = await self._server.run("HGETALL", PENDING)
        for member, old in left.items():
            text = await self._server.run("HGET", self._keys(int(member))[0], "project")
            await self._index(int(member), text or "", old)


def _member(number: int) -> str:
    return f"{number:019d}"
