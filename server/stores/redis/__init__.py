"""The store for many processes, on Redis."""

from .store import RedisStore
from .wakeups import CHANNELS

__all__ = ["CHANNELS", "RedisStore"]
