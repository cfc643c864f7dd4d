"""The fixture `firstlight`, for whoever tests an SDK or the integration of an app with pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import FirstlightServer


@pytest.fixture
def firstlight() -> Iterator[FirstlightServer]:
    """A Firstlight server with a project, for one test; see `firstlight.testing`."""
    from .testing import firstlight_server  # not before a test asks: every pytest run of the environment loads this

    with firstlight_server() as running:
        yield running
