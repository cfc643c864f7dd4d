"""The servers of a deployment: commands go to the node that has their key.

Where that is, is asked once and remembered until there is a doubt. What nodes say of themselves and of others is taken
note of here, whoever asked them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from redis.exceptions import AskError, MovedError, NoScriptError, RedisError, ResponseError, TryAgainError

from .address import Address, Place
from .deployment import Map, deployment_of
from .node import Node
from .refusals import refusal_of
from .scripts import Command, key_of, with_text

log = logging.getLogger("firstlight.stores.redis")

PAUSE_SECONDS = 0.05
"""Before a command is sent again because its slot is on the move."""
ROUNDS = 10
"""How often a command is sent at most: half a second is long for a slot that has moved, and short for a large one."""
TRUST_SECONDS = 0.2
"""How long a map is not doubted after it was asked for: while a master is away, each failure would ask again."""


class Nodes:
    """See the module. Raises whatever redis-py does, and `SettingsError`; deadlines are the caller's.

    Args:
        address: where to ask for the way.
        seconds: how long a connection may take to be made.
    """

    def __init__(self, address: Address, seconds: float) -> None:
        self.on_move: Callable[[], None] = lambda: None
        """Told when slots have moved, and wake-ups with them."""
        self._address = address
        self._seconds = seconds
        self._deployment = deployment_of(address, seconds)
        self._nodes: dict[Place, Node] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._map: Map | None = None
        self._found_at = float("-inf")
        self._finding = asyncio.Lock()

    async def close(self) -> None:
        """Let all connections go."""
        closing = [node.close() for node in self._nodes.values()]
        await asyncio.gather(self._deployment.close(), *closing, *self._leaving, return_exceptions=True)

    def node(self, place: Place) -> Node:
        """The node at a place."""
        if place not in self._nodes:
            self._nodes[place] = Node(self._address.url_of(place), self._seconds)
        return self._nodes[place]

    def without_passwords(self, text: str) -> str:
        """A server's words: it may echo a password when it refuses a greeting."""
        for password in {node.password for node in self._nodes.values()}:
            text = text.replace(password, "***") if password else text
        return text

    async def find(self) -> Map:
        """Where the masters are; asked for only if that is in doubt."""
        return self._map or await self.look_again()

    async def look_again(self) -> Map:
        """Ask where the masters are, unless it was asked a moment ago."""
        async with self._finding:  # one question, however many calls wait for its answer
            if self._map and self._now() <= self._found_at + TRUST_SECONDS:
                return self._map
            found = await self._deployment.find(self._asked)
            self._map, self._found_at = found, self._now()
            for place in self._nodes.keys() - set(found.places):
                self._leave(place)
            return found

    async def deliver(self, commands: Sequence[Command]) -> list[Any]:
        """Send each command to the node that has its key; and again, where that node says so.

        Returns:
            The answers; an error stands where a node refused a command.
        """
        answers: list[Any] = [None] * len(commands)
        left = dict(enumerate(commands))
        for _ in range(ROUNDS):
            for at, answer in (await self._round(left)).items():
                answers[at] = answer
            # MOVED is an AskError for redis-py, too; ASK itself was answered.
            moved = {at for at in left if isinstance(answers[at], AskError | TryAgainError)}
            left = {at: with_text(left[at]) for at in left if at in moved or isinstance(answers[at], NoScriptError)}
            if not left:
                break
            if moved:
                await asyncio.sleep(PAUSE_SECONDS)
        return [TryAgainError(str(answer)) if isinstance(answer, AskError) else answer for answer in answers]

    async def exchange(self, place: Place, commands: Sequence[Command]) -> list[Any]:
        """Send commands to one node, on a connection that is theirs meanwhile."""
        return await self._noted(place, commands, self.node(place).exchange(commands))

    async def _send(self, place: Place | None, commands: Sequence[Command]) -> list[Any]:
        if place is None:
            self._doubt()
            raise ResponseError("CLUSTERDOWN Hash slot not served")
        return await self._noted(place, commands, self.node(place).send(commands))

    async def _noted(self, place: Place, commands: Sequence[Command], sent: Awaitable[list[Any]]) -> list[Any]:
        try:
            answers = await sent
        except (RedisError, OSError) as error:
            self._note(place, error)
            raise
        for at, answer in enumerate(answers):
            if isinstance(answer, AskError) and not isinstance(answer, MovedError):
                answers[at] = await self._ask(answer, commands[at])
            elif isinstance(answer, RedisError):
                self._note(place, answer)
        return answers

    async def _round(self, commands: Mapping[int, Command]) -> dict[int, Any]:
        found = await self.find()
        shares: dict[Place | None, list[int]] = {}
        for at, command in commands.items():
            shares.setdefault(found.place_of(key_of(command)), []).append(at)
        exchanges = [self._send(place, [commands[at] for at in some]) for place, some in shares.items()]
        # To their end, also where one fails: an exchange that nobody waits for would go on by itself.
        many = len(exchanges) > 1  # a task for each costs more than the rest of this
        parts = await asyncio.gather(*exchanges, return_exceptions=True) if many else [await exchanges[0]]
        answers: dict[int, Any] = {}
        for some, part in zip(shares.values(), parts, strict=True):
            if isinstance(part, BaseException):
                raise part
            answers.update(zip(some, part, strict=True))
        return answers

    async def _ask(self, told: AskError, command: Command) -> Any:
        """Where a slot is on its way to another node, that one has what this one has not any more."""
        _, answer = await self.node(Place(told.host, told.port)).exchange([("ASKING",), with_text(command)])
        return answer

    async def _asked(self, place: Place, command: Command) -> Any:
        (answer,) = await self.node(place).exchange([command])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _note(self, place: Place, error: Exception) -> None:
        """Draw conclusions from an error of a node."""
        refusal = refusal_of(str(error))
        if isinstance(error, MovedError):
            self._doubt()
            self.on_move()
        elif refusal and refusal.is_moved:
            # A demoted master keeps its connections, and a name may lead to another server by now: all of them are
            # left, so that the next ones are made anew.
            self._doubt()
            self._in_background(self.node(place).renew())
        elif not isinstance(error, ResponseError):
            self._doubt()

    def _doubt(self) -> None:
        if self._now() > self._found_at + TRUST_SECONDS:
            self._map = None

    def _leave(self, place: Place) -> None:
        """Let the connections to a node go, but for those in use: they are not made again."""
        self._in_background(self._nodes.pop(place).renew())

    def _in_background(self, leaving: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(leaving)
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        if not task.cancelled() and task.exception():
            log.info("Connections to Redis could not be closed in order: %s", task.exception())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
