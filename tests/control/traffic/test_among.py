"""Conditions in the words of either database: the same rows, and found in one go."""

from typing import Any

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.traffic.models import ClientHour
from mailmum.control.traffic.reading import among
from mailmum.control.traffic.router import traffic_database

pytestmark = pytest.mark.django_db(databases="__all__")
NUMBERS = range(-3, 9)


def _count(**key: Any) -> ClientHour:
    rest = {"account": 1, "start": 0, "client": bytes(16), "server": 1, "source": 1, "rbl": 0}
    return ClientHour(**(rest | key), count=1)


@given(st.lists(st.integers(-5, 12), max_size=8))
def test_among_is_in(wanted: list[int]) -> None:
    """Whatever lies between, twice or not at all."""
    if not ClientHour.objects.exists():
        ClientHour.objects.bulk_create(_count(outcome=number) for number in NUMBERS)
    found = ClientHour.objects.filter(among("outcome", wanted)).values_list("outcome", flat=True)
    assert sorted(found) == sorted(set(wanted) & set(NUMBERS))


def test_a_stretch_of_the_key_is_gone_through_once() -> None:
    """PostgreSQL is not given lists of numbers to combine."""
    rows = ClientHour.objects.filter(
        among("outcome", [2, 3, 10]), among("rbl", [6, 5, 4, 5]), account=1, start__in=[0, 3600]
    )
    if connections[traffic_database()].vendor == "postgresql":
        plan = rows.explain()
        assert "outcome >= 2" in plan
        assert "outcome + 0) = ANY ('{2,3,10}'" in plan
        assert "rbl <= 6" in plan
        assert "rbl = ANY" not in plan
    else:
        assert "IN (2, 3, 10)" in str(rows.query)
        assert "IN (4, 5, 6)" in str(rows.query)
