"""What every unit test begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from debugtui.config.redaction import forget_all


@pytest.fixture(autouse=True)
def _no_secrets_of_others() -> Iterator[None]:
    """A secret that one test made known is hidden from then on: it would be missing in the texts of the next."""
    yield
    forget_all()
