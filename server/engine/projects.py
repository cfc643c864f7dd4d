"""What this process knows of projects: their keys, and which of their fields are stored already.

A worker remembers what it has read, so that a repeated heartbeat costs no round trip. What it remembers is a lower
bound of what is stored: a state only ever grows, so a memory that lacks something only costs a write too many. Of most
projects that is next to nothing, and of some everything (`memory`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from math import inf

from ..core.model.errors import StoreRejected, StoreUnavailable
from ..core.model.project import Project
from ..core.model.signals import Stage
from ..core.state.bits import bits_of, effect_of
from ..core.state.change import Change
from ..core.state.fields import FIRST_ERROR, STAGE, Effect, Join, Update, stage_of
from ..core.state.view import View
from ..limits import ProjectLimits
from ..stores import Origin, Store, Told
from .clock import Clock
from .limits import Limiter
from .memory import Memory, Whole

log = logging.getLogger("firstlight.projects")

HEAL_AT_ONCE = 16
"""Projects that are compared with the store at the same time, after its link was lost."""
SAME_SECONDS = 0.1
"""How long reads count as made at the same time, the first one's."""
STAYS = 8
"""Of so many projects that are new here, where there are more than can be remembered, one takes the place of another.
Those that beat in turn find most of the others that way, and a fleet that takes the place of another is mostly known
after twenty of its rounds."""
HEAL_AGAIN_SECONDS = 0.5
"""After a healing that failed."""
PROVE_SECONDS = 1.0
"""Between two looks whether all wake-ups are heard."""


class Projects:
    """See the module. One per process, used from its event loop only. Listens to the store.

    Args:
        store: where projects are looked up.
        monotonic: seconds, for the age of what is remembered.
        limits: how many, and how old.
    """

    def __init__(self, store: Store, monotonic: Callable[[], float], limits: ProjectLimits) -> None:
        self._store = store
        self._monotonic = monotonic
        self._limits = limits
        self._memories: Clock[int, Memory] = Clock(limits.remembered, STAYS)
        self._wholes: Clock[int, Whole] = Clock(limits.whole)
        """The same projects, as far as all is remembered of them."""
        self._doubted_at = self._read_at = -inf
        self._doubt = asyncio.Event()
        self._heard_at = -inf
        """What was edited before that, in seconds, is known here."""
        self.on_watched: Callable[[int], None] = lambda _: None
        """Told of a project that somebody looks at, at any process."""
        self._is_new = True
        self._healing_until = -inf
        self._missing: dict[int, float] = {}
        # Of deleted projects: an answer that was under way meanwhile would make it look as if it was lost.
        self._ended: dict[int, int] = {}
        self._refused: dict[int, float] = {}
        # Requests of one project that come together share one read: a fleet that starts at once asks once.
        self._lookups: dict[int, asyncio.Task[Project | None]] = {}
        self._questions: Limiter[int] = Limiter(monotonic, limits.owner_questions, limits.owner_questions)

    # What the store tells (stores.Listener).

    def changed(self, project_id: int, effect: Effect, told: Told | None = None) -> None:
        """What is remembered stays true; but of a problem, another process may have seen the end."""
        memory = self._memories.get(project_id)
        if memory and effect >= Effect.NEWS and memory.has_problems:
            memory.doubt()

    def edited(self, project_id: int) -> None:
        """Read it anew; what was received for a past epoch is dropped by the store."""
        self._forget_answers(project_id)
        # Kept, though it is stale: should the store go away now, an old key list is better than refusing everybody.
        memory = self._memories.get(project_id)
        if memory:
            memory.doubt()
        # Also where it is new here: a store that came back empty is given back what some process remembers, and an
        # owner has just made it, or has begun its next epoch. What it sends meanwhile is answered.
        self._begin_to_read(project_id)

    def deleted(self, project_id: int, version: int) -> None:
        """Forget it: a store that comes back empty would be given it back."""
        self._forget_answers(project_id)
        self._forget(project_id)
        self._bound(self._ended)
        self._ended[project_id] = max(version, self._ended.get(project_id, 0))

    def _forget_answers(self, project_id: int) -> None:
        """Those that are under way, too, may be from before."""
        self._missing.pop(project_id, None)
        self._refused.pop(project_id, None)
        self._lookups.pop(project_id, None)

    def watched(self, project_id: int) -> None:
        """See `on_watched`."""
        self.on_watched(project_id)

    def resync(self) -> None:
        """Wake-ups may have been lost: ask again for every project."""
        if self._is_new:  # it starts, and has nothing to miss
            self._is_new = False
        else:
            self._begin_to_heal()
        self._doubt.set()
        self._missing.clear()
        self._refused.clear()
        self._lookups.clear()
        # One number, and not a walk through a million of them; what is read from now on has a later one.
        self._doubted_at, self._read_at = self._monotonic(), -inf

    def away(self) -> None:
        """What is remembered goes on to serve; what is not there when the store is back may come back, too."""
        self._is_new, self._healing_until = False, inf

    # What requests ask.

    def remembered(self, project_id: int) -> Project | None:
        """The project as it was when it was last read, however long ago; None where it was not."""
        memory = self._memories.get(project_id)
        return memory.project if memory else None

    def current(self, project_id: int) -> Project | None:
        """The project, where it is remembered and that is recent enough."""
        memory = self._memories.get(project_id)
        return memory.project if memory and self.is_current(memory) else None

    def is_current(self, memory: Memory) -> bool:
        """Whether what is remembered is recent enough to be used; then it counts as used."""
        if memory.checked_at <= self._doubted_at:
            return False
        # Of problems, other processes may have seen more, which nobody is woken for.
        checked_at = memory.checked_at if memory.has_problems else max(memory.checked_at, self._heard_at)
        if self._age(checked_at) > self._limits.recheck_seconds:
            return False
        memory.is_used = True
        return True

    async def get(self, project_id: int) -> Project | None:
        """The project, from memory where that is recent enough.

        Raises:
            StoreUnavailable: the store is away and the project is not remembered.
        """
        known = self.current(project_id)
        if known:
            return known
        return None if self._is_recent(self._missing.get(project_id)) else await self._ask(project_id)

    async def get_for_another_key(self, project_id: int) -> Project | None:
        """For a key that does not fit what is remembered: that may be old, and a corrected key must work at once.

        The store is asked unless a key was refused here within the last second (`refused`), and whatever is remembered
        otherwise: how long a refusal takes must not tell which projects exist.

        Raises:
            StoreUnavailable: as `get`.
        """
        # No cache of refused keys: a key that was just corrected has to work at once. It costs one read a second at
        # most.
        is_good = self._is_recent(self._refused.get(project_id))
        return self.remembered(project_id) if is_good else await self._ask(project_id)

    def refused(self, project_id: int) -> None:
        """Note that the answer of `get_for_another_key` led to a refusal: it is good for a second."""
        if not self._is_recent(self._refused.get(project_id)):
            self._refused.pop(project_id, None)  # so that the oldest stand first
            # By project and not by key: keys can be made up without an end.
            self._bound(self._refused)
            self._refused[project_id] = self._monotonic()

    async def owner_of(self, key: str) -> int | None:
        """The project that a refused key belongs to, if the store may be asked now: strangers can make up keys.

        Raises:
            StoreUnavailable: the store is away.
        """
        # One bucket for all projects, key 0: the question is about a key, of which nobody knows the project yet.
        # In a task of its own, as all that is asked here: a request may have none (`server.run.direct`), and a store's
        # deadline needs one.
        return None if self._questions.wait(0) else await asyncio.create_task(self._store.owner_of(key))

    # What the writer asks and tells.

    def effect_of(self, project_id: int, update: Update) -> Effect:
        """What an update would mean, as far as this process knows."""
        memory = self._memories.get(project_id)
        return effect_of(memory.known if memory else 0, bits_of(update))

    def has_whole_first_error(self, project_id: int) -> bool:
        """Whether the first error is known and lacks nothing, so that the stacks of later ones say nothing new."""
        memory = self._memories.get(project_id)
        return memory is not None and memory.is_mended

    def cured_by(self, project_id: int, update: Update) -> Update:
        """When open problems are resolved by an update, as far as this process knows of them."""
        memory = self._memories.get(project_id)
        return memory.cured_by(update) if memory else {}

    def memory(self, project_id: int) -> Memory | None:
        """What is remembered of a project."""
        return self._memories.get(project_id)

    def epoch_of(self, project_id: int) -> str | None:
        """The epoch that a project is in, as far as this process knows."""
        memory = self._memories.get(project_id)
        return memory.epoch if memory else None

    def without_known(self, project_id: int, update: Update) -> Update:
        """An update without a first error, where there is one: clocks step, and it could look like the earlier one.

        Nor does it have the stage that only a first error brings: news are kept over a reset that was not heard of yet,
        and the new epoch would have the one without the other.
        """
        memory = self._memories.get(project_id)
        if stage_of(update) is not Stage.FIRST_ERROR_RECEIVED or not memory or not memory.has(FIRST_ERROR):
            return update
        kept = {field: value for field, value in update.items() if field is not FIRST_ERROR}
        return {**kept, STAGE: int(Stage.CONNECTED)}

    def learn(self, project_id: int, update: Update, origin: Origin, change: Change) -> None:
        """Remember that an update is stored, and what it changed."""
        memory = self._memories.get(project_id)
        is_known = memory is not None and origin.epoch == memory.epoch
        is_whole = memory is not None and (memory.whole is not None or change.effect < Effect.NEWS)
        # Whoever was answered by this process rests on what it remembers, and that is not all of it, or not so.
        if not (is_known and is_whole) or any(f.joined_by is Join.ONCE and f not in change.fields for f in update):
            self.edited(project_id)
        # What was stored in another epoch says nothing of this one; remembered, it would hide the next first error.
        if memory is not None and is_known:
            memory.learn(update, change, origin.is_late)

    @property
    def is_healing(self) -> bool:
        """Whether what the store does not have may still be given back to it, by whichever process remembers it."""
        return self._monotonic() < self._healing_until

    def met(self, view: View) -> None:
        """Remember a project that was read for viewers, unless it is remembered."""
        if self._memories.get(view.project.id) is None and self.may_be_restored(view):
            # Not as recent: an edit may have come since, and whoever sends something asks for himself.
            self._remember(view.project.id, view, -inf)

    def _begin_to_heal(self) -> None:
        self._healing_until = self._monotonic() + self._limits.healing_seconds

    async def heal(self) -> None:
        """Give back to the store whatever it has lost of the projects that are remembered here.

        The server came back empty, or another one took its place that had not seen the last writes.

        Raises:
            StoreUnavailable: the store is away again.
        """
        numbers = list(self._wholes)
        # A few at a time, so that the first requests after an outage do not stand behind 10,000 projects.
        for start in range(0, len(numbers), HEAL_AT_ONCE):
            await asyncio.gather(*(self._heal(number) for number in numbers[start : start + HEAL_AT_ONCE]))

    async def _heal(self, project_id: int) -> None:
        try:
            # Read, and not only its version: what was written since may have raised that again.
            view = await self._store.read(project_id)
            if self._is_lost(project_id, view) and await self.give_back(project_id):
                log.warning("The store had lost something of project %d; it is given back", project_id)
        except StoreRejected as error:  # its own key is spoilt: the others need not wait for it
            log.error("Project %d cannot be given back to the store: %s", project_id, error)

    def _is_lost(self, project_id: int, stored: View | None) -> bool:
        """Whether the store holds less of a project than is remembered."""
        whole = self._wholes.get(project_id)
        return whole is not None and (stored is None or whole.view().exceeds(stored))

    async def give_back(self, project_id: int) -> bool:
        """Give back to the store what is remembered of a project, which it may have lost.

        Returns:
            Whether there is such a project now.

        Raises:
            StoreUnavailable: the store is away.
            StoreRejected: it cannot hold this project.
        """
        whole = self._wholes.get(project_id)
        return whole is not None and await self.restore(whole.view())

    async def restore(self, view: View) -> bool:
        """As `give_back`, for what was read for viewers."""
        found = self.may_be_restored(view) and await self._store.restore(view)
        if not found:  # it was deleted; that may not have been heard
            self.deleted(view.project.id, view.version)
        return found

    def may_be_restored(self, view: View) -> bool:
        """Whether a reading is not of before the end of its project, as far as this process has heard."""
        return view.version > self._ended.get(view.project.id, -1)

    async def run(self) -> None:
        """Heal the store whenever its link was lost, and look whether wake-ups are heard, until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._run_healing(), name="projects: healing")
            both.create_task(self._run_proof(), name="projects: proof")

    async def _run_healing(self) -> None:
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            try:
                await self.heal()
            except StoreUnavailable as error:
                log.info("The store is not healed now: %s", error)
                # The link may be up all the same: one call of many was not answered in time, or one connection was
                # dead. Nobody would say so again, and what this process remembers would stay lost.
                await asyncio.sleep(HEAL_AGAIN_SECONDS)
                if self._healing_until < inf:
                    self._begin_to_heal()
                    self._doubt.set()

    async def _run_proof(self) -> None:
        # Each project would have to be read again every 15 s otherwise, which costs more than all that it sends.
        while True:
            with suppress(StoreUnavailable):
                self._heard_at = self._monotonic() - await self._store.unheard()
            await asyncio.sleep(PROVE_SECONDS)

    def _moment(self) -> float:
        """The time, or a moment before it: one object for all projects that are read together."""
        if self._age(self._read_at) > SAME_SECONDS:
            self._read_at = self._monotonic()
        return self._read_at

    def _is_recent(self, at: float | None) -> bool:
        return at is not None and self._age(at) <= self._limits.unknown_seconds

    def _age(self, at: float) -> float:
        return self._monotonic() - at

    async def _ask(self, project_id: int) -> Project | None:
        try:
            return await self._look_up(project_id)
        except StoreUnavailable:
            memory = self._memories.get(project_id)
            if memory:
                return memory.project
            raise

    async def _look_up(self, project_id: int) -> Project | None:
        """One read in flight per project, however many requests ask."""
        if project_id not in self._lookups:
            self._begin_to_read(project_id)
        # Shielded: the first of those who wait may be cancelled when its client hangs up, and the others still want the
        # answer.
        return await asyncio.shield(self._lookups[project_id])

    def _begin_to_read(self, project_id: int) -> None:
        task = self._lookups[project_id] = asyncio.create_task(self._read(project_id))
        # Or asyncio complains where nobody waits, or all who do have hung up, and the store is away.
        task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _read(self, project_id: int) -> Project | None:
        asked_at = self._moment()
        try:
            view = await self._store.read(project_id)
            # First given back, then remembered: what was read would take the place of the only memory there is. Not
            # where it was edited meanwhile: what is remembered may be newer than this.
            is_current = self._lookups.get(project_id) is asyncio.current_task()
            if is_current and self._is_lost(project_id, view) and await self.give_back(project_id):
                view = await self._store.read(project_id)
            if view is None and self.is_healing:
                raise StoreUnavailable("The store may have lost this project, and is given back what is known of it.")
        finally:
            # An edit during the read took it out of the table: its answer may be from before, and must not be
            # remembered as fresh.
            is_current = self._lookups.get(project_id) is asyncio.current_task()
            if is_current:
                del self._lookups[project_id]
        if is_current:
            self._remember(project_id, view, asked_at)
        # Better than what there is, also should the store go away now. Its version alone does not say so: another
        # process may have given back less than is remembered here, and so raised it.
        elif view and self._is_newer(view) and self.may_be_restored(view) and not self._is_lost(project_id, view):
            self._remember(project_id, view, -inf)
        return view.project if view else None

    def _is_newer(self, view: View) -> bool:
        whole = self._wholes.get(view.project.id)
        return whole is None or view.version > whole.version

    def _remember(self, project_id: int, view: View | None, asked_at: float) -> None:
        if view is None:
            self._forget(project_id)
            # A project that was just created is known at once, by its wake-up; this bounds what made-up ids cost: a
            # read a second.
            self._bound(self._missing)
            self._missing[project_id] = asked_at
        else:
            self._ended.pop(project_id, None)
            whole = Whole(view)
            # In place, as what was said and is not written yet stands in it.
            memory = self._memories.get(project_id) or Memory(project_id)
            memory.read(view, whole, asked_at)
            gone = self._memories.put(project_id, memory)
            if gone:
                self._wholes.pop(gone.id)
            self._keep_whole(whole)

    def _keep_whole(self, whole: Whole) -> None:
        gone = self._wholes.put(whole.project.id, whole)
        memory = self._memories.get(gone.project.id) if gone else None
        if memory:
            memory.forget_the_rest()

    def _forget(self, project_id: int) -> None:
        self._memories.pop(project_id)
        self._wholes.pop(project_id)

    def _bound(self, mapping: dict[int, float] | dict[int, int]) -> None:
        """Forget the oldest tenth of a full mapping."""
        if len(mapping) >= self._limits.missing:
            # In the order of insertion, the oldest first. A tenth at a time: one by one, a flood of new ids would copy
            # the list of keys for each of them.
            for number in list(mapping)[: max(1, self._limits.missing // 10)]:
                del mapping[number]
