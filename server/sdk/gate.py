"""How much may come: by address, by project, and in all, for requests, refusals and questions.

A project's limit protects a host from one runaway application, and never turns away a heartbeat or anything that says
something new. An address's limit holds for everything: it is far above what an application sends.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from ..core.model.errors import RateLimited, Refusal
from ..engine.limits import Limiter
from ..limits import SdkLimits

log = logging.getLogger("firstlight.sdk")

BYTES_PER_SECOND = 256 * 1024 * 1024
"""Of bodies that are unpacked and looked through, at the worst."""
SLOW_BYTES_PER_SECOND = 12 * 1024 * 1024
"""Of what is read the slow way (`core.wire.budget`), at the worst."""
_ALL = 0


class Gate:
    """See the module. One per process, used from its event loop only.

    Args:
        monotonic: seconds.
        limits: rates and bursts.
    """

    def __init__(self, monotonic: Callable[[], float], limits: SdkLimits) -> None:
        self._requests: Limiter[str] = Limiter(monotonic, limits.address_rate, limits.address_burst)
        self._work: Limiter[str] = Limiter(monotonic, limits.work_share, limits.work_seconds)
        self._refusals: Limiter[str] = Limiter(monotonic, limits.refusals_rate, limits.refusals_burst)
        self._all: Limiter[int] = Limiter(monotonic, limits.process_refusals_rate, limits.process_refusals_burst)
        self._projects: Limiter[int] = Limiter(monotonic, limits.project_rate, limits.project_burst)
        self._warnings: Limiter[int] = Limiter(monotonic, 1 / 60, 1)
        self._preflights: Limiter[int] = Limiter(monotonic, limits.questions_rate, 1)
        self._checks: Limiter[int] = Limiter(monotonic, limits.questions_rate, limits.checks_burst)

    def admit(self, sender: str) -> None:
        """Count a request of an address, before anything is done for it.

        Raises:
            RateLimited: it sends too much, or what it sent has cost too much.
        """
        # Behind a proxy that is not named, all of the world has one address; the log says so, once a minute.
        wait = self._requests.wait(sender) or (self._work.peek(sender, 0) if self._work else 0)
        if wait:
            if not self._warnings.wait(_ALL):
                log.warning("%s sends too much. If it is a proxy, name it in FORWARDED_ALLOW_IPS.", sender or "A peer")
            raise RateLimited(math.ceil(wait), "This address sends more than this server takes.")

    def has_room(self, sender: str) -> bool:
        """Whether `admit` would let a request of an address in now."""
        return not (self._requests.peek(sender) or (self._work and self._work.peek(sender, 0)))

    def charge(self, sender: str, size: int, slow: int) -> None:
        """Count what a request has cost in time: bytes that were read, and those that were read the slow way."""
        self._work.charge(sender, size / BYTES_PER_SECOND + slow / SLOW_BYTES_PER_SECOND)

    def check_project(self, project_id: int) -> None:
        """Count a request of a project that says nothing new.

        Raises:
            RateLimited: it sends too much.
        """
        wait = self._projects.wait(project_id)
        if wait:
            raise RateLimited(math.ceil(wait))

    def refuse(self, sender: str, refusal: Refusal) -> Refusal:
        """Count a refusal; gives what is answered: after too many of one address, or in all, only that it is too much.

        Who is refused with a valid key is counted as the project's, before.
        """
        if isinstance(refusal, RateLimited):
            return refusal
        # Both, as addresses are cheap: a botnet, or an IPv6 provider's customers, stay below any limit of a single one.
        wait = self._refusals.wait(sender) or self._all.wait(_ALL)
        if not wait:
            return refusal
        return RateLimited(math.ceil(wait), "This address sends too many requests that are refused.")

    def shows_preflight(self, project_id: int) -> bool:
        """Whether a project's viewers see at once that a browser asks whether it may send."""
        return not self._preflights.wait(project_id)

    def shows_check(self, project_id: int) -> bool:
        """Whether a project's viewers see a check at once: the doctor makes a few, and measures how long it takes."""
        return not self._checks.wait(project_id)
