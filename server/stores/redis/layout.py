"""Where the keys of a project are, and on which channel its wake-ups travel.

Redis Cluster hashes only what stands in braces (the specification's hash tags): one script may touch all keys of one
project. On a single server the braces mean nothing, and hold the project's id. In a cluster they hold one of a few
shards, so that a project's channel is in the slot of its keys, and a script may publish there; a slot for each project
would need a subscription for each.
"""

from __future__ import annotations

from dataclasses import dataclass

IDS, KEYS, PENDING = "firstlight:{index}:ids", "firstlight:{index}:keys", "firstlight:{index}:pending"
"""The index, in a slot of its own."""
FORMAT_KEY = "firstlight:{index}:format"
FORMAT = 1
"""Of all that is kept, as a number there; what has none was kept before formats were numbered, and is as the first."""

SHARDS = 64
"""Of a cluster: more than it has masters, so that each has its share, and few enough to subscribe to all."""


@dataclass(frozen=True, slots=True)
class Layout:
    """See the module.

    Args:
        channels: of wake-ups, by shard. Every process listens to all of them.
        is_sharded: whether it is that of a cluster.
    """

    # A few fixed ones, subscribed once, rather than one per project: with redis-py 8.1, concurrent first subscribe()
    # calls opened 50 connections and left 49 channels deaf, without an error; and every reconnect would subscribe them
    # all again.
    channels: tuple[str, ...]
    is_sharded: bool

    @property
    def publish(self) -> str:
        """The command that wakes. A cluster would carry a plain PUBLISH to each of its nodes."""
        return "SPUBLISH" if self.is_sharded else "PUBLISH"

    def channel_of(self, project_id: int) -> str:
        """Where the wake-ups of a project travel."""
        return self.channels[project_id % len(self.channels)]

    def keys_of(self, project_id: int) -> tuple[str, str]:
        """The keys of a project: itself and its state, in one hash slot."""
        start = self._start_of(project_id)
        return f"{start}:project", f"{start}:state"

    def deleted_of(self, project_id: int) -> str:
        """The mark that a project was deleted."""
        return f"{self._start_of(project_id)}:deleted"

    def taken_of(self, project_id: int, writer: str) -> str:
        """Which numbers of a process a project has taken: a set for each process, whose numbers never meet."""
        return f"{self._start_of(project_id)}:taken:{writer}"

    def _start_of(self, project_id: int) -> str:
        channel = self.channel_of(project_id)
        return f"{channel}:{project_id}" if self.is_sharded else f"firstlight:{{{project_id}}}"


SINGLE = Layout(tuple(f"firstlight:{{{number}}}" for number in range(8)), is_sharded=False)
CLUSTER = Layout(tuple(f"firstlight:{{s{number}}}" for number in range(SHARDS)), is_sharded=True)


def tried_of(channel: str) -> str:
    """A key that means nothing, in the slot of a channel."""
    return f"{channel}:tried"


def mark_of(channel: str) -> str:
    """A key that stands for all others of a node, in the slot of a channel: where it is gone, they are."""
    return f"{channel}:mark"
