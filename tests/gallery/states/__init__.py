"""Every state that a page can be in, by its name."""

from . import connected, first_error, languages, link, site, trouble, waiting
from .reach import STATES

__all__ = ["STATES", "connected", "first_error", "languages", "link", "site", "trouble", "waiting"]
