"""The zstd codec: part of Python since 3.14, before that a package with the same interface."""

try:
    from backports import zstd
except ImportError:  # pragma: no cover - Python 3.14 and newer, where the package cannot be installed
    from compression import zstd  # type: ignore[import-not-found, no-redef]

__all__ = ["zstd"]
