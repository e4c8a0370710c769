"""What names tell of each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.diagnosis.names import akin


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("ledger_pool", "ledger-gw", True),
        ("main/Checkout", "checkout-7f", True),
        ("api", "shop-api-1", True),
        ("pay_backend", "mail-backend", False),
        ("127.0.0.1:8001", "app-1", False),
        ("x1", "x1", False),
    ],
)
def test_a_shared_word_that_says_which_thing_it_is_makes_names_akin(one: str, other: str, wanted: bool) -> None:
    assert akin(one, other) is akin(other, one) is wanted


@given(one=st.text(max_size=400), other=st.text(max_size=400))
def test_any_text_is_a_name(one: str, other: str) -> None:
    assert akin(one, other) is akin(other, one)
