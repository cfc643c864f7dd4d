"""The store for many processes, on Redis."""

from .inspection import Severity
from .store import RedisStore

__all__ = ["RedisStore", "Severity"]
