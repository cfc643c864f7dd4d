"""The store for many processes, on Redis."""

from .store import RedisStore

__all__ = ["RedisStore"]
