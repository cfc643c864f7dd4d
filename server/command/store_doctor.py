"""The doctor for those who run the server: looks at the store that the settings name, as the server would."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.model.errors import SettingsError, StoreRejected, StoreUnavailable
from ..settings import Settings
from .doctor import Result, Step
from .exits import Exit

_FIX = "docs/redis.md says what Redis has to be and to allow."


async def examine_store(settings: Settings) -> list[Step]:
    """Open the store, look at it, and try what the server needs: a script that writes, a wake-up that comes back."""
    if settings.redis_url is None:
        said = f"REDIS_URL is not set: state is in the file {settings.data}, of one process"
        return [Step("Store", Result.SKIPPED, said)]
    from ..stores.redis import RedisStore, Severity  # takes 100 ms to import

    results = {Severity.FINE: Result.OK, Severity.WARNING: Result.WARNING}
    steps: list[Step] = []
    try:
        with _quiet():
            async with RedisStore(settings.redis_url, str) as store:
                steps += [Step(found.name, results[found.severity], found.said, found.fix) for found in store.findings]
                await store.ping()
    except SettingsError as error:
        return [Step("Address", Result.FAILED, str(error), _FIX, Exit.STORE)]
    except StoreUnavailable as error:
        return [*steps, Step("Use", Result.FAILED, f"{error.reason} ({error})", _FIX, Exit.STORE)]
    except StoreRejected as error:
        return [*steps, Step("Use", Result.FAILED, str(error), _FIX, Exit.STORE)]
    return [*steps, Step("Use", Result.OK, "scripts can write, and their wake-ups arrive")]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the store's log: the steps say all of it."""
    log = logging.getLogger("firstlight.stores")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
