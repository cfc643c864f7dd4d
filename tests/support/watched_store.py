"""A thin wrapper around a real store, to count its calls, to hold them up, and to be away."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from server.core.model.errors import StoreRejected, StoreUnavailable
from server.core.model.project import Project
from server.core.state.change import Change
from server.core.state.fields import Update
from server.core.state.view import View
from server.stores import Listener, Origin, Store


class WatchedStore:
    """Passes every call on.

    Args:
        store: an open store, which stays its owner's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gates: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self._held: list[str] = []
        self.is_away = False

    def count(self, name: str) -> int:
        """How often a method was called."""
        return self.calls.count(name)

    def held(self, name: str) -> int:
        """How many answers of a method are held back now: a call alone does not say that the store has answered it."""
        return self._held.count(name)

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """Hold back the answers of a method while the block runs: the store has answered, the caller does not know."""
        self._gates[name] = asyncio.Event()
        try:
            yield
        finally:
            self.release(name)

    def release(self, name: str) -> None:
        """Let the answers of a method through again."""
        if name in self._gates:
            self._gates.pop(name).set()

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.is_away:
            raise StoreUnavailable("away, for a test")

    async def _answered(self, name: str) -> None:
        if name in self._gates:
            self._held.append(name)
            await self._gates[name].wait()
            self._held.remove(name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """The wrapped store stays open."""

    def listen(self, listener: Listener) -> None:
        """See Store, as for all below."""
        self._store.listen(listener)

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        await self._called("create")
        return await self._store.create(name, platform, key)

    async def put(self, project: Project) -> Project:
        await self._called("put")
        return await self._store.put(project)

    async def edit(self, project: Project) -> Project | None:
        await self._called("edit")
        return await self._store.edit(project)

    async def delete(self, project_id: int) -> bool:
        await self._called("delete")
        return await self._store.delete(project_id)

    async def revoke(self, project_id: int, token_id: str | None, at: int) -> bool:
        await self._called("revoke")
        return await self._store.revoke(project_id, token_id, at)

    async def list(self, after: int, limit: int) -> list[Project]:
        await self._called("list")
        return await self._store.list(after, limit)

    async def owner_of(self, key: str) -> int | None:
        await self._called("owner_of")
        return await self._store.owner_of(key)

    async def reset(self, project_id: int, epoch: str) -> bool:
        await self._called("reset")
        return await self._store.reset(project_id, epoch)

    async def restore(self, view: View) -> bool:
        await self._called("restore")
        return await self._store.restore(view)

    async def read(self, project_id: int) -> View | None:
        await self._called("read")
        view = await self._store.read(project_id)
        await self._answered("read")
        return view

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        await self._called("versions")
        return await self._store.versions(project_ids)

    async def apply(
        self,
        updates: Mapping[int, Update],
        now: int,
        origins: Mapping[int, Origin] | None = None,
        shown: Container[int] = (),
    ) -> Mapping[int, Change | StoreRejected]:
        await self._called("apply")
        answer = await self._store.apply(updates, now, origins, shown)
        await self._answered("apply")
        return answer

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        await self._called("touch")
        return await self._store.touch(seen)

    async def look(self, project_ids: Iterable[int]) -> None:
        await self._called("look")
        await self._store.look(project_ids)

    async def unheard(self) -> float:
        return await self._store.unheard()

    async def ping(self) -> Sequence[str]:
        await self._called("ping")
        return await self._store.ping()
