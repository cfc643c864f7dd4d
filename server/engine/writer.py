"""The one write door: whatever is written of a project's state goes through here, on one of two lanes.

- *At once*: what somebody waits for (the effects `NEWS` and `TRANSITION`). Its request waits for the commit. The lane
  takes whatever has come up since its last write, so that a thousand firsts in one moment share a few round trips.
- *Later*: what can wait (`REFRESH`, `SILENT`). It is gathered per project and written in small parts, and its request
  does not wait: every `lazy_seconds` where somebody looks at the project, and every `unwatched_seconds` where nobody
  does. Whoever begins to look says so to all processes, and what they have of it is written at once. The other lane
  never stands behind it.

What somebody waits for is answered when it is stored, or, while the store is away, when it is on disk (`spill`). What
can wait is answered at once: a killed process may lose as much of it as has not had its turn.

Both lanes gather by joining updates into a pending one. Joining twice changes nothing, but for counts: an update with a
count gets a number when it is first sent. If its answer is lost it is sent again just as it was, and the store takes
each number once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain, count, islice

from ..core.model.errors import Overloaded, StoreRejected, StoreUnavailable
from ..core.state.beat import Saying
from ..core.state.change import Change
from ..core.state.fields import INTERVAL, Effect, State, Update, join
from ..core.state.view import View
from ..limits import WriterLimits
from ..stores import Origin, Store
from .audience import Audience
from .complaints import Complaints
from .memory import Memory
from .pending import Batch, Pending, counts, gather, is_settled, parts
from .projects import Projects
from .spill import Entry, Left, Spill, entry_of
from .touches import Touches
from .turns import patience

LOOK_SECONDS = 0.25
"""How long whoever begins to look waits for what is held back here: it is read without it then."""

log = logging.getLogger("firstlight.writer")


class Writer:
    """See the module. One per process, used from its event loop only.

    Args:
        store: where updates go.
        projects: what is known; it says what an update means, and learns what is stored.
        spill: keeps what somebody waits for while the store is away.
        clock: seconds since the Unix epoch, for the times in updates.
        limits: how much may wait, and how long.
        name: of this process, unlike any other's.
        observe: is told how many seconds the updates of a lane waited, at most, when they are stored.
    """

    def __init__(
        self,
        store: Store,
        projects: Projects,
        spill: Spill,
        clock: Callable[[], float],
        limits: WriterLimits,
        name: str,
        observe: Callable[[str, float], None] = lambda _lane, _seconds: None,
    ) -> None:
        self._store = store
        self._projects = projects
        self._spill = spill
        self._clock = clock
        self._limits = limits
        self._name = name
        self._observe = observe
        self._now = asyncio.get_running_loop().time
        self._audience = Audience(self._now, limits.learning_seconds)
        self._touches = Touches(projects, self._audience, self._now, limits)
        self.complaints = Complaints(projects, self._audience, self._now, limits)
        """Errors after the first, which need no write each."""
        projects.on_watched = self._hear
        self._at_once: Batch = {}
        self._later: Batch = {}
        self._looked: dict[int, tuple[str, int] | None] = {}
        """Who is looked at elsewhere, and is to be shown what was held back here; the epoch and version of that."""
        self._wanted, self._passed = asyncio.Event(), asyncio.Event()
        self._since = 0.0
        """Since when something waits on the lane of those who wait, by the loop's clock."""
        # What the lanes are writing: the whole of the later one, and what the other one takes out of that.
        self._sending: Batch = {}
        self._overdue: Batch = {}
        self._later_lane, self._settling = asyncio.Lock(), asyncio.Lock()
        self._in_doubt: dict[Origin, tuple[int, State]] = {}
        self._rejected: Batch = {}
        self._numbers = count(1)
        # Numbers that are sent and not answered. The smallest tells the store below which it may forget.
        self._open: set[int] = set()
        # One future for all who wait for the next write, rather than one each: it is what makes a burst one round trip.
        self._commit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self._is_away = False

    @property
    def is_away(self) -> bool:
        """Whether the last write found the store away."""
        return self._is_away

    @property
    def unwritten(self) -> int:
        """How many projects have something that is not stored."""
        waiting = {*self._at_once, *self._later, *self._overdue, *self._rejected}
        return len(waiting | self._doubtful)

    @property
    def _doubtful(self) -> set[int]:
        """Projects of which something is sent and not answered."""
        return {number for number, _ in self._in_doubt.values()}

    @property
    def spilled(self) -> int:
        """Bytes that wait on disk."""
        return self._spill.size

    def now(self) -> int:
        """The time of receipt of a request that is handled now, in milliseconds."""
        return int(self._clock() * 1000)

    async def write(self, project_id: int, update: Update, at_once: bool = False, is_late: bool = False) -> None:
        """Take an update; return at once if it can wait, and otherwise once it is stored or on disk.

        Args:
            at_once: commit it now, whatever it means.
            is_late: it was answered a while ago, see `stores.Origin`.

        Raises:
            Overloaded: too much is pending already.
        """
        await self.take(project_id, update, at_once, is_late)

    def take(self, project_id: int, update: Update, at_once: bool = False, is_late: bool = False) -> Awaitable[None]:
        """As `write`, in two steps: it is taken when this returns, whatever becomes of what it returns.

        Raises:
            Overloaded: as `write`; it is not taken.
        """
        if not is_late:  # else it may have come before the one that is known
            update = self._projects.without_known(project_id, update)
        if cured := self._projects.cured_by(project_id, update):
            update = {**update, **cured}
        is_awaited = is_late or self._projects.effect_of(project_id, update) >= Effect.NEWS
        origin = Origin(self._projects.epoch_of(project_id), is_late=is_late)
        # While the store is away nobody waits for it: each request would hang until the deadline, and be answered 503,
        # which SDKs do not send again.
        if self._is_away or not (at_once or is_awaited):
            due = 0.0 if is_awaited else self._due_of(project_id, update)
            self._add(self._later, project_id, update, origin, is_awaited, due)
            return self._spill.keep([entry_of(project_id, update, origin)] if is_awaited else [])
        if not self._at_once:
            self._since = self._now()
        self._add(self._at_once, project_id, update, origin, is_news=True)
        self._news.set()
        # Shielded: a client that hangs up must not cancel the write that others wait for.
        return asyncio.shield(self._commit)

    def write_later(self, project_id: int, update: Update) -> None:
        """Take an update that nobody waits for now, whatever it means.

        Raises:
            Overloaded: as `write`.
        """
        update = self._projects.without_known(project_id, update)
        self._add(self._later, project_id, update, Origin(self._projects.epoch_of(project_id)))

    async def write_beat(self, project_id: int, saying: Saying, update: Update, at: int) -> None:
        """Take a heartbeat that says something else than the one before it; see `touches`.

        Args:
            update: what it says, received at `at` milliseconds.

        Raises:
            Overloaded: as `write`.
        """
        # As one that says the same, where it can wait as well: a process that has just started meets all of its
        # projects within seconds, and more of them than may be pending.
        can_wait = self._projects.effect_of(project_id, update) < Effect.NEWS
        if not (can_wait and self._touches.take_first(project_id, saying, at)):
            await self.write(project_id, update)
            self._touches.begin(project_id, saying)

    def take_again(self, project_id: int, saying: Saying, at: int) -> bool:
        """Take a heartbeat that says what the one before it said, if it does; see `touches`."""
        return self._touches.take(project_id, saying, at)

    def take_same(self, memory: Memory, at: int) -> bool:
        """Take a heartbeat that is the one before it, unless it says more by now; see `touches`."""
        return self._touches.take_same(memory, at)

    async def look(self, project_id: int) -> bool:
        """Let what is held back of a project be written, here and at all other processes: somebody begins to look.

        Returns:
            Whether anything was, here.

        Raises:
            StoreUnavailable: the store is away.
        """
        is_said = not self._audience.ends_soon(project_id)
        self._audience.note(project_id)
        if not is_said:
            await self._store.look([project_id])
        was_held = False
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                while not self._is_away and self._hurry(project_id):
                    was_held = True
                    self._wanted.set()
                    await self._passed.wait()
        return was_held

    async def go_on_looking(self, project_ids: Iterable[int]) -> None:
        """Say again that somebody looks at these. Raises `StoreUnavailable`."""
        numbers = list(project_ids)
        for number in numbers:
            self._audience.note(number)
        await self._store.look(numbers)

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        """Raise versions for what changes without an update, see `Store.touch`.

        Raises:
            StoreUnavailable: the store is away.
        """
        return await self._store.touch(seen)

    @property
    def is_healing(self) -> bool:
        """Whether what the store does not have may still be given back to it."""
        return self._projects.is_healing

    def met(self, view: View) -> None:
        """Remember a project that was read for somebody else."""
        self._projects.met(view)

    async def restore(self, view: View) -> bool:
        """Join back what is known of a project that the store has lost, or has lost the last of.

        Returns:
            Whether there is such a project now: one that was deleted stays so.

        Raises:
            StoreUnavailable: the store is away.
        """
        return await self._projects.restore(view)

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Take over what a process that ended had not written."""
        for entry in entries:
            if entry.number:
                self._in_doubt[entry.origin] = (entry.project, entry.update)
            else:
                # Whatever number there is: it was taken within the bounds of a process, and answered.
                gather(self._later, entry.project, entry.update, entry.origin, is_news=True)

    def try_rejected_again(self) -> None:
        """Let what the store refused for what it is wait for the next write: somebody may have repaired the store."""
        rejected, self._rejected = self._rejected, {}
        self._keep(rejected)

    async def run(self) -> None:
        """Write what is pending, until cancelled. `flush` does the rest."""
        # A lane that dies takes the others down, and with them the process: a worker that takes and never writes is
        # worse than none.
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._run_at_once(), name="writer: at once")
            lanes.create_task(self._run_later(), name="writer: later")
            lanes.create_task(self._run_rejected(), name="writer: rejected")

    async def flush(self) -> Left:
        """Write everything that is pending; where the store is away, put it on disk."""
        # The lane of those who wait goes first, also at the end: a kill that cuts this short costs what could wait.
        await self._write_at_once()
        await self._write_later(everything=True)
        while (self._touches or self.complaints) and not self._is_away:
            await self._write_later(everything=True)
        # Replaced and not appended: what was kept during an outage is stored by now, or is among what is left.
        pending = (*self._rejected.items(), *self._later.items())  # a project may be in both
        left = [entry_of(number, waiting.update, waiting.origin) for number, waiting in pending]
        left += [entry_of(number, update, origin) for origin, (number, update) in self._in_doubt.items()]
        try:
            self._spill.replace(left)
        except OSError as error:
            log.critical("What is not stored cannot be put on disk either, and ends with this process: %s", error)
            return Left.LOST
        if left:
            log.error("%d projects have something that is not stored; the next start writes it", self.unwritten)
        return Left.ON_DISK if left else Left.NOTHING

    async def close(self) -> Left:
        """Write everything that is pending, or leave it to the next process, on disk."""
        left = await self.flush()
        self._spill.close()
        return left

    async def _run_at_once(self) -> None:
        while True:
            await self._news.wait()
            await self._write_at_once()

    async def _run_later(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.lazy_seconds):
                    await self._wanted.wait()
            self._wanted.clear()
            self.adopt(self._spill.adopt())
            await self._write_later()

    async def _run_rejected(self) -> None:
        while True:
            await asyncio.sleep(self._limits.rejected_seconds)
            self.try_rejected_again()

    async def _write_at_once(self) -> None:
        batch, self._at_once, since = self._at_once, {}, self._since
        batch_size = len(batch)
        # Swapped before the write: who comes meanwhile waits for the next one, since this one does not have its update.
        commit, self._commit = self._commit, asyncio.get_running_loop().create_future()
        commit.add_done_callback(asyncio.Future.exception)  # else asyncio complains where nobody waits for it
        self._news.clear()
        try:
            left = await self._write_in_order(batch)
            if left:
                await self._spill.keep(left)
            elif batch_size:
                self._observe("at_once", self._now() - since)
        except Overloaded as error:
            commit.set_exception(error)
        finally:
            if not commit.done():
                commit.set_result(None)

    async def _write_in_order(self, batch: Batch) -> list[Entry]:
        """Write what somebody waits for, behind what was answered before of the same projects and is not stored yet.

        The first error is the one that was taken first, also where that was in an outage that is just over.
        """
        if any(number in self._sending and self._sending[number].is_news for number in batch):
            async with self._later_lane:
                pass
        if self._doubtful & batch.keys():
            await self._settle()
        self._overdue = {n: self._later.pop(n) for n in batch if n in self._later and self._later[n].is_news}
        if self._overdue:
            await self._write_all(self._overdue, self._limits.batch, is_awaited=False)
        answered = {number for number, pending in self._later.items() if pending.is_news}
        if not (self._doubtful | answered).isdisjoint(batch):  # the store has gone away again
            return self._keep_behind(batch)
        return await self._write_all(batch, self._limits.batch, is_awaited=True)

    async def _write_later(self, everything: bool = False) -> None:
        """Write what is due on the later lane."""
        await self._settle()
        if self._in_doubt:  # the store is away, and one more try would only put more in doubt, without an end
            return
        began, size, left = self._now(), 0, list[Entry]()
        async with self._later_lane:
            for batch in self._take_due(everything):
                self._sending, size = batch, size + len(batch)
                left = await self._write_all(batch, self._limits.lazy_batch, is_awaited=False)
                if left:
                    break
        if size and not left:
            self._observe("later", self._now() - began + self._limits.lazy_seconds)
        if not self._needs_disk():
            self._spill.clear()
        await self._show_looked()
        self._passed.set()
        self._passed = asyncio.Event()

    def _take_due(self, everything: bool) -> Iterator[Batch]:
        """Take what is due off the later lane, or all of it; what still has to be made into updates in portions."""
        now = self._now()
        due = {n: pending for n, pending in self._later.items() if everything or pending.due <= now}
        for number in due:
            del self._later[number]
        yield due
        # While the store is away they take no place, where they are: one is enough to find out that it is back.
        most = self._limits.pending if everything else 1 if self._is_away else self._limits.unwatched_batch
        found = chain(self._touches.due(most, everything), self.complaints.due(most, everything))
        while portion := list(islice(found, self._limits.lazy_batch)):
            batch: Batch = {}
            for number, epoch, update in portion:
                gather(batch, number, update, Origin(epoch))
            yield batch

    def _needs_disk(self) -> bool:
        """Whether anything waits that was put on disk when it was answered."""
        now = self._now()
        waits = any(pending.is_news or pending.due <= now for pending in self._later.values())
        return waits or bool(self._at_once or self._overdue or self._rejected or self._in_doubt)

    async def _show_looked(self) -> None:
        """Wake those who look elsewhere for what was held back here: as a refresh, it would be shown at leisure."""
        looked, self._looked = self._looked, {}
        for number, seen in looked.items():
            if seen:
                with suppress(StoreUnavailable, StoreRejected):
                    await self._store.touch({number: seen})
            elif number in self._later:
                self._looked[number] = None

    def _hear(self, project_id: int) -> None:
        """Somebody looks at a project, at another process."""
        self._audience.note(project_id)
        if self._hurry(project_id):
            self._looked[project_id] = None
            self._wanted.set()

    def _hurry(self, project_id: int) -> bool:
        """Make due what is held back of a project. Returns whether anything is, or is being written."""
        pending = self._later.get(project_id)
        if pending:
            pending.due = 0.0
        was_held = [self._touches.hurry(project_id), self.complaints.hurry(project_id)]
        return any(was_held) or pending is not None or project_id in self._sending

    def _due_of(self, project_id: int, update: Update) -> float:
        """When an update that can wait has to be written."""
        if self._audience.has(project_id):
            return 0.0
        told = update.get(INTERVAL)
        interval = float(told[1]) if isinstance(told, tuple) else None
        return self._now() + patience(interval, self._limits)

    async def _settle(self) -> None:
        """Send again, just as it was, whatever has a number and no answer."""
        async with self._settling:  # once: not every store knows the numbers
            for origin, (number, update) in list(self._in_doubt.items()):
                # Alone, and under its old number: joined with anything newer it would be another update, and not be
                # recognized.
                pending = Pending(update, replace(origin, is_late=True), is_news=True)
                try:
                    result = await self._sent_again(number, pending)
                except StoreUnavailable:
                    return
                del self._in_doubt[origin]
                self._note_settled(number, pending, result)

    async def _sent_again(self, number: int, pending: Pending) -> Change | StoreRejected | None:
        """What the store makes of an update in doubt; None where it is of no epoch that there is."""
        results = await self._stored({number: pending})
        if number not in results:  # it may have lost the project
            try:
                await self._projects.give_back(number)
            except StoreRejected as error:
                return error
            results = await self._stored({number: pending})
        return results.get(number)

    def _note_settled(self, number: int, settled: Pending, result: Change | StoreRejected | None) -> None:
        is_own = settled.origin.writer == self._name
        if is_own:
            self._open.discard(settled.origin.number)
        if isinstance(result, StoreRejected):
            self._reject(number, settled, result)
        elif result is None and self._projects.is_healing:
            # Without its number: a store that has lost the project has lost that, too.
            settled.origin = Origin(settled.origin.epoch, is_late=True)
            self._keep({number: settled})
        elif result is not None and is_own and number in self._later:
            # What came after it here came after it, whatever the two are timed at when they reach the store.
            pending, update = self._later[number], settled.update
            pending.update = {field: value for field, value in pending.update.items() if not is_settled(field, update)}

    async def _write_all(self, batch: Batch, size: int, is_awaited: bool) -> list[Entry]:
        """Write a batch in parts. What is left when the store goes away, or this is cancelled, stays pending.

        Args:
            is_awaited: what was received for an epoch that is over goes into the present one: its owner's reset was not
                heard of here yet, and an error that somebody waits for is not dropped behind an answer. What could wait
                is dropped: it was received before.

        Returns:
            What is left, as it is kept on disk.
        """
        try:
            for part in parts(batch, size):
                # One part at a time, so that the other lane gets its turn in between: a flush of 2,000 lazy updates in
                # one go held a first error back by 160 ms to 3.8 s.
                over = await self._apply(part, is_awaited)
                # What is sent again stays in the batch meanwhile, under no number, since the store took nothing of it.
                again = {
                    number: Pending(
                        pending.update,
                        Origin(None if is_awaited else pending.origin.epoch, is_late=pending.origin.is_late),
                        pending.is_news,
                    )
                    for number, pending in over.items()
                }
                batch.update(again)
                for number in part.keys() - again.keys():
                    del batch[number]
                missing = await self._apply_again(again, is_awaited) if again else {}
                for number in again.keys() - missing.keys():
                    del batch[number]
        except StoreUnavailable as error:
            if not self._is_away:
                log.warning("The store is away; %d projects wait to be written: %s", len(batch), error)
            self._is_away = True
        finally:
            left = self._keep(batch)
        return left

    async def _apply(self, part: Batch, is_awaited: bool) -> Batch:
        """Write a part.

        Args:
            is_awaited: nobody was answered yet. What was answered and not stored may have been overtaken: a first error
                that waited for the store, by another one that came to another process in the moment it was back.

        Returns:
            What the store did not take, as it is of another epoch or of a project that is gone.
        """
        for pending in part.values():
            pending.origin = replace(pending.origin, is_late=pending.origin.is_late or not is_awaited)
            # Numbers only where something is counted: all other joins may be done twice, and a number costs the store
            # an entry.
            if not pending.origin.number and counts(pending.update):
                pending.origin = self._numbered(pending.origin)
        # From here on it may be stored: whatever fails, an update with a number keeps it, and is sent again just as it
        # is.
        results = await self._stored(part)
        if is_awaited:  # first whoever is woken by this, then the books and the answer
            await asyncio.sleep(0)
        self._is_away = False
        for number, pending in part.items():
            self._open.discard(pending.origin.number)
            result = results.get(number)
            if isinstance(result, StoreRejected):
                self._reject(number, pending, result)
            elif result is not None:
                self._projects.learn(number, pending.update, pending.origin, result)
                if number in self._looked and pending.origin.epoch:
                    self._looked[number] = pending.origin.epoch, result.version
        return {number: pending for number, pending in part.items() if number not in results}

    async def _apply_again(self, over: Batch, is_awaited: bool) -> Batch:
        """Write what the store did not take. It may have lost the project, which is given back to it first.

        Returns:
            What has to wait, as another process may give its project back.
        """
        part: Batch = {}
        for number, pending in over.items():
            try:
                await self._projects.give_back(number)
            except StoreRejected as error:
                self._reject(number, pending, error)
            else:
                part[number] = pending
        missing = await self._apply(part, is_awaited) if part else {}
        return missing if self._projects.is_healing else {}

    async def _stored(self, part: Batch) -> Mapping[int, Change | StoreRejected]:
        """What the store makes of a part. A mistake of ours in one update is found by trying each alone."""
        updates = {number: pending.update for number, pending in part.items()}
        origins = {number: pending.origin for number, pending in part.items()}
        try:
            return await self._store.apply(updates, self.now(), origins, self._audience)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(part) == 1:
                log.exception("An update of project %d cannot be stored", *part)
                return dict.fromkeys(part, StoreRejected(f"a mistake in this program: {error!r}"))
        found: dict[int, Change | StoreRejected] = {}
        for number, pending in part.items():
            found.update(await self._stored({number: pending}))
        return found

    def _numbered(self, origin: Origin) -> Origin:
        number = next(self._numbers)
        self._open.add(number)
        return replace(origin, writer=self._name, number=number, settled=min(self._open))

    def _reject(self, number: int, pending: Pending, error: StoreRejected) -> None:
        """Set aside what the store cannot keep, so that it stops nobody else."""
        if number not in self._rejected:
            log.error("An update of project %d cannot be stored, and is tried again later: %s", number, error)
        # Joined with what is set aside of the same project, so that a broken key costs one entry, not one a second.
        if number in self._rejected or len(self._rejected) < self._limits.rejected:
            gather(self._rejected, number, pending.update, Origin(pending.origin.epoch))
        else:
            log.error("Too much is set aside: an update of project %d is lost", number)

    def _add(
        self,
        batch: Batch,
        project_id: int,
        update: Update,
        origin: Origin,
        is_news: bool = False,
        due: float = 0.0,
    ) -> None:
        if project_id not in batch and len(batch) >= self._limits.pending:
            raise Overloaded("Too much is waiting to be written.")
        gather(batch, project_id, update, origin, is_news, due)

    def _keep_behind(self, batch: Batch) -> list[Entry]:
        """Let a batch wait behind what waits already."""
        self._is_away = True
        for number, pending in batch.items():
            gather(self._later, number, pending.update, pending.origin, is_news=True)
        return [entry_of(number, pending.update, pending.origin) for number, pending in batch.items()]

    def _keep(self, batch: Batch) -> list[Entry]:
        """Put back what could not be written, beneath what came meanwhile; what has a number stays as it is."""
        left = [entry_of(number, pending.update, pending.origin) for number, pending in batch.items()]
        for number, pending in batch.items():
            # Sent and not answered: it may be stored. What comes later is gathered beside it and not joined into it.
            if pending.origin.number:
                self._in_doubt[pending.origin] = (number, pending.update)
            else:
                newer = self._later.get(number)
                if newer and pending.origin.epoch not in (None, newer.origin.epoch):
                    continue  # what was received before a reset is over
                if newer:
                    join(pending.update, newer.update)
                    pending.is_news |= newer.is_news
                self._later[number] = pending
        return left
