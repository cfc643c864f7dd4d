"""What waits to be written: of each project one update, however much came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..core.state.fields import Field, Join, State, Update, join
from ..stores import Origin


@dataclass(slots=True)
class Pending:
    """An update that waits to be written.

    Args:
        origin: `number` is 0 until it is sent for the first time, and then for good if it counts something.
        is_news: somebody waits for it, or was answered while the store was away: nothing later may be stored before it.
        due: when it is to be written, at the latest, by the loop's clock.
    """

    update: State
    origin: Origin
    is_news: bool = False
    due: float = 0.0


Batch = dict[int, Pending]
"""What is pending, by project."""


def gather(
    batch: Batch, project_id: int, update: Update, origin: Origin, is_news: bool = False, due: float = 0.0
) -> None:
    """Take an update into a batch, beside what waits there of its project."""
    pending = batch.get(project_id)
    # Joined and not queued: however long an outage lasts, a project costs one pending update.
    if pending and pending.origin.epoch in (None, origin.epoch):
        join(pending.update, update, origin.is_late)
        if origin.is_late and not pending.origin.is_late:
            pending.origin = replace(pending.origin, is_late=True)
        pending.is_news |= is_news
        pending.due = min(pending.due, due)
    else:  # the first, or what was received before a reset is over
        batch[project_id] = Pending(dict(update), origin, is_news, due)


def is_settled(field: Field, update: Update) -> bool:
    """Whether this update has decided a field for good."""
    return field.joined_by is Join.ONCE and field in update


def counts(update: Update) -> bool:
    """Whether it would be more if it were written twice."""
    return any(field.joined_by is Join.SUM for field in update)


def parts(batch: Batch, size: int) -> Iterator[Batch]:
    """Parts of a batch, at most so large; the batch may shrink meanwhile."""
    numbers = list(batch)
    for start in range(0, len(numbers), size):
        yield {number: batch[number] for number in numbers[start : start + size]}
