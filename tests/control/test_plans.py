"""Queries that must not grow with the number of listings: each is answered from an index."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, current, find_listings, inside, wider
from mailmum.domain.clients import parse_subject
from mailmum.domain.targets import parse_target
from tests.support.world import World


def queries(world: World) -> dict[str, QuerySet[Any]]:
    """Every query on the way of a change, a verdict and a page."""
    mine = current(world.viewer)
    return {
        "began": Version.objects.filter(since__gt=3, since__lte=4).order_by("number"),
        "ended": Version.objects.filter(until__gt=3, until__lte=4).order_by("number"),
        "covering": mine.filter(target__in=wider(parse_subject("203.0.113.7").target)),
        "inside a network": inside(world.viewer, parse_target("203.0.113.0/24")),
        "inside a domain": inside(world.viewer, parse_target(".spam.example")),
        "page": find_listings(world.viewer, Filter()).filter(number__lt=1000)[:100],
    }


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("began", "version_since"),
        ("ended", "version_until"),
        ("covering", "one_listing_a_target"),
        ("inside a network", "version_first"),
        ("inside a domain", "version_name"),
        ("page", "one_current_version"),
    ],
)
def test_an_index_answers(world: World, name: str, index: str) -> None:
    """Without statistics too: right after an import nobody has analysed the table."""
    if connection.vendor == "postgresql":
        # It has statistics to choose by; on an empty table any index will do, and reading it all
        # is right, so that is switched off.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Seq Scan" not in queries(world)[name].explain()
        return
    plan = queries(world)[name].explain()
    assert index in plan
    assert "SCAN listings_version" not in plan
