"""Which server has which key: always the same one, the one that the Sentinels name, or the masters of a cluster.

The answer is a `Map`, good until there is a doubt; then it is asked for again.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from ...core.model.errors import SettingsError
from .address import Address, Kind, Place
from .node import Node
from .refusals import refusal_of
from .scripts import Command

ASK_SECONDS = 0.5
"""How long one Sentinel, or one node of a cluster, may take to say where the masters are: another may know it, too."""


@dataclass(frozen=True, slots=True)
class Map:
    """The masters, and which slots each of them has.

    Args:
        starts: the first slots of ranges, ascending.
        owners: of these ranges; None where a range has no master.
        replicas: the masters that have any.
    """

    starts: tuple[int, ...]
    owners: tuple[Place | None, ...]
    replicas: frozenset[Place] = field(default=frozenset(), compare=False)

    @property
    def places(self) -> tuple[Place, ...]:
        """The masters."""
        return tuple(dict.fromkeys(place for place in self.owners if place))

    def place_of(self, key: str) -> Place | None:
        """The master that has a key; None where there is none."""
        if len(self.starts) == 1:
            return self.owners[0]
        return self.owners[bisect_right(self.starts, key_slot(key.encode())) - 1]


def map_of_one(place: Place, has_replicas: bool = False) -> Map:
    """The map of a single master."""
    return Map((0,), (place,), frozenset([place] if has_replicas else ()))


Ask: TypeAlias = Callable[[Place, Command], Awaitable[Any]]
"""Sends one command to one node."""


class Deployment(Protocol):
    """Knows whom to ask for the way."""

    async def find(self, ask: Ask) -> Map:
        """Find out where the masters are now.

        Raises:
            SettingsError: what is there is nothing of the kind that the URL says.
            RedisError, OSError, TimeoutError: nobody could be asked.
        """

    async def close(self) -> None:
        """Let what was used to ask go."""


class Single:
    """One server, always the same: a replica is found out by its refusals."""

    def __init__(self, address: Address) -> None:
        (self._place,) = address.hosts

    async def find(self, ask: Ask) -> Map:
        try:
            return map_of_one(self._place, _has_replicas(await ask(self._place, ("ROLE",))))
        except ResponseError:  # it may not be asked
            return map_of_one(self._place)

    async def close(self) -> None:
        """Nothing was kept."""


class Sentinels:
    """The master that most of the Sentinels name, and that says so itself."""

    def __init__(self, address: Address, connect_seconds: float) -> None:
        self._service = address.service
        self._nodes = [Node(address.sentinel_url_of(place), connect_seconds) for place in address.hosts]

    async def find(self, ask: Ask) -> Map:
        # All of them: one that was cut off from the others goes on to name the old master.
        told = await asyncio.gather(*(self._ask(node) for node in self._nodes))
        places = Counter(answer for answer in told if isinstance(answer, Place))
        if not places:
            raise self._nobody_knows(told)
        ((place, _),) = places.most_common(1)
        role = await ask(place, ("ROLE",))
        # A failover is told before it is done, and a master that comes back does not know yet that it is one no more.
        if role[0] != "master":
            raise ConnectionError(f"{place} is to be the master, and is not yet")
        return map_of_one(place, _has_replicas(role))

    async def _ask(self, node: Node) -> Place | Exception | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                (answer,) = await node.exchange([("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)])
        except (RedisError, OSError, TimeoutError) as error:
            return error
        return Place(str(answer[0]), int(answer[1])) if isinstance(answer, list) else answer

    def _nobody_knows(self, told: Sequence[Place | Exception | None]) -> Exception:
        refused = next((answer for answer in told if isinstance(answer, AuthenticationError | ResponseError)), None)
        if refused and not refusal_of(str(refused)):
            return SettingsError(f"REDIS_URL: no Sentinel answered, or it refused: {refused}")
        if None in told:
            return SettingsError(f"REDIS_URL: the Sentinels watch no master with the name {self._service}.")
        return next(answer for answer in told if isinstance(answer, Exception))

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self._nodes))


class Cluster:
    """The masters of a cluster, as any node of it tells them."""

    def __init__(self, address: Address) -> None:
        self._seeds = address.hosts
        self._known: tuple[Place, ...] = ()

    async def find(self, ask: Ask) -> Map:
        failure: Exception = ConnectionError("no node of the cluster can be reached")
        # Those that served last know best; a stale one is corrected by the first command that is sent its way.
        for place in dict.fromkeys((*self._known, *self._seeds)):
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    ranges = await ask(place, ("CLUSTER", "SLOTS"))
            except ResponseError as error:
                if "cluster support disabled" in str(error):
                    raise SettingsError(
                        "REDIS_URL: this is not a Redis Cluster. Write redis:// for one server."
                    ) from None
                failure = error
            except (RedisError, OSError, TimeoutError) as error:
                failure = error
            else:
                if ranges:  # a node that was just reset knows of none
                    found = _map_of_slots(ranges, place)
                    self._known = found.places
                    return found
        raise failure

    async def close(self) -> None:
        """Nothing was kept."""


def deployment_of(address: Address, connect_seconds: float) -> Deployment:
    """The deployment that an address means."""
    if address.kind is Kind.SENTINEL:
        return Sentinels(address, connect_seconds)
    return Cluster(address) if address.kind is Kind.CLUSTER else Single(address)


def _has_replicas(role: Sequence[Any]) -> bool:
    return role[0] == "master" and bool(role[2])


def _map_of_slots(ranges: Sequence[Any], asked: Place) -> Map:
    """The map from an answer to CLUSTER SLOTS (first, last, master, replicas …)."""
    starts, owners, replicas = list[int](), list[Place | None](), set[Place]()
    expected = 0
    for first, last, master, *others in sorted(ranges, key=lambda entry: int(entry[0])):
        if int(first) > expected:  # a gap: its master is gone, or it is not given to anybody yet
            starts, owners = [*starts, expected], [*owners, None]
        # A node that was never spoken to by others knows no address of its own.
        place = Place(str(master[0] or asked.host), int(master[1]))
        starts, owners = [*starts, int(first)], [*owners, place]
        replicas.update([place] if others else [])
        expected = int(last) + 1
    if expected < REDIS_CLUSTER_HASH_SLOTS:
        starts, owners = [*starts, expected], [*owners, None]
    return Map(tuple(starts), tuple(owners), frozenset(replicas))
