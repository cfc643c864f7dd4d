"""The store for many processes, on Redis."""

from .store import CHANNELS, RedisStore

__all__ = ["CHANNELS", "RedisStore"]
