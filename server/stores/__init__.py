"""Where the state of projects is kept. One small protocol, two implementations, one contract test suite.

`embedded` needs nothing installed and serves one process; `redis` serves many.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

from ..core.model.errors import StoreRejected
from ..core.model.project import Project
from ..core.state.change import Change
from ..core.state.fields import Effect, Update
from ..core.state.view import View

Told: TypeAlias = Callable[[], View | None]
"""The state of a project right after a change, from what woke us; None where that cannot be read."""


class Listener(Protocol):
    """Told when something has changed. Called on the event loop; must not block or raise."""

    def changed(self, project_id: int, effect: Effect, told: Told | None = None) -> None:
        """The state of this project changed; look at it again, the sooner the stronger the effect."""

    def edited(self, project_id: int) -> None:
        """The project itself was created, edited or reset; what is cached of it is old."""

    def deleted(self, project_id: int, version: int) -> None:
        """The project is gone; forget it, and give nothing back of what it was up to this version."""

    def watched(self, project_id: int) -> None:
        """Somebody looks at this project, at another process: what is held back of it is wanted."""

    def resync(self) -> None:
        """Wake-ups may have been lost: read again whatever is watched."""

    def away(self) -> None:
        """The store is out of reach. `resync` follows when it is back."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an update comes from, so that it counts once, and in no other epoch than its own.

    Args:
        epoch: of the project when the update was received, as its process knew; None joins into whichever is now.
        writer: the process, by a name of its own.
        number: of the update in that process; the store takes each number once. 0 for what may be joined twice.
        settled: all numbers of the process below this one are known to be stored or given up.
        is_late: it was answered before it could be stored, and another may have been committed in its place. Of what is
            committed once, the earlier of the two stays then.
    """

    epoch: str | None = None
    writer: str = ""
    number: int = 0
    settled: int = 0
    is_late: bool = False


class Store(Protocol):
    """The state of all projects.

    Every method but `listen` raises `StoreUnavailable` where the store does not answer in time.
    """

    async def __aenter__(self) -> Self:
        """Open it. Raises `SettingsError` where it cannot be used as configured."""

    async def __aexit__(self, *exc: object) -> None:
        """Write what is pending and close."""

    def listen(self, listener: Listener) -> None:
        """Register a listener, for good."""

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        """Make a project with the next free id."""

    async def put(self, project: Project) -> Project:
        """Create or update a project under the id that it has.

        A known project keeps its state, its `created_at` and what was revoked: only `revoke` changes that.
        """

    async def edit(self, project: Project) -> Project | None:
        """As `put`, if nobody else has written the project since its `revision` was read. Returns None otherwise."""

    async def delete(self, project_id: int) -> bool:
        """Forget a project and its state. Returns whether there was one."""

    async def revoke(self, project_id: int, token_id: str | None, at: int) -> bool:
        """Revoke tokens of a project, for every process.

        Args:
            token_id: the one to revoke; None for all issued until now, which makes the list of single ones obsolete.
            at: the caller's clock in milliseconds. The later of this and the store's own clock counts.

        Returns:
            Whether there is such a project.
        """

    async def list(self, after: int, limit: int) -> list[Project]:
        """Projects with a larger id than `after`, by id."""

    async def owner_of(self, key: str) -> int | None:
        """The project that has a key, enabled or not; the smallest id if several have it."""

    async def reset(self, project_id: int, epoch: str) -> bool:
        """Start over in a new epoch; what was received before it is dropped. Returns whether there is a project."""

    async def restore(self, view: View) -> bool:
        """Join back what a process knows of a project that the store has lost, or has lost the last of.

        Returns:
            Whether there is such a project now: one that was deleted stays so.
        """

    async def read(self, project_id: int) -> View | None:
        """One consistent read of a project, or None."""

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        """Epoch and version of each project that exists, in one round trip."""

    # One call for many projects, and not one for each: what piles up in a busy moment goes out in a single round trip.
    async def apply(
        self,
        updates: Mapping[int, Update],
        now: int,
        origins: Mapping[int, Origin] | None = None,
        shown: Container[int] = (),
    ) -> Mapping[int, Change | StoreRejected]:
        """Join updates into the states, each in one atomic step, and wake the listeners of every process.

        Args:
            updates: by project; unknown projects are passed over.
            now: the clock that the updates' times were taken from, in milliseconds.
            origins: where updates come from, by project, as far as it matters.
            shown: projects that somebody looks at: listeners are told what is news of them with the wake-up.

        Returns:
            What each update changed, or why the store cannot keep it. A project that is unknown, or is in another epoch
            than its update was received in, has no entry.
        """

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        """Raise the version of each project beyond the one that was seen, unless it is, or the epoch is another.

        For what changes without an update: liveness with time, and a store that lost its last writes. In one round
        trip, as `apply`.

        Returns:
            Those that were raised; of each, the listeners of every process are told.
        """

    async def look(self, project_ids: Iterable[int]) -> None:
        """Tell the listeners of all other processes that somebody looks at these projects."""

    async def unheard(self) -> float:
        """For how many seconds wake-ups may have been lost: all of before have been heard. `inf` where none is sure."""

    async def ping(self) -> Sequence[str]:
        """Return if the store can serve, writes included; raise `StoreUnavailable` or `StoreRejected` otherwise.

        Returns:
            What may lose something though it serves, a line each.
        """
