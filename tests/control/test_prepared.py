"""What is written once asks the same as what is written each time, and of one account only."""

from itertools import product

import pytest
from django.db import DatabaseError
from django.db.models import Count

from mailmum.control.accounts.models import Account
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, find_listings
from mailmum.control.listings.search import count, total_of
from mailmum.control.once import read_once
from mailmum.control.prepared import Prepared
from mailmum.control.requests.models import RemovalRequest, State
from mailmum.control.requests.queries import count_open
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import Pause, pause, pauses_of
from mailmum.control.servers.queries import names_of_servers, own_servers, present_servers
from mailmum.control.servers.services import add_server
from mailmum.control.traffic.models import ServerUse
from mailmum.control.traffic.reading import one_of
from tests.control.test_listings import allow, block
from tests.support.world import World


def test_parameters_come_where_they_belong(world: World) -> None:
    """Whatever their order in the statement; constants keep their values."""
    first, second = (add_server(world.owner, name) for name in ("mx1", "mx2"))
    question = Prepared(
        lambda account, least: (
            Server.objects.filter(pk__gt=least, name__startswith="mx")
            .filter(account=account)
            .order_by("name")
            .values_list("pk", "name")
        )
    )
    mine = world.owner.account.pk
    assert question.rows(mine, 0) == [(first.pk, "mx1"), (second.pk, "mx2")]
    assert question.rows(mine, first.pk) == [(second.pk, "mx2")]
    assert question.rows(world.outsider.account.pk, 0) == []


def test_a_fault_of_the_database_is_told_as_ever(db: None) -> None:
    """Whoever shows something beside it goes on without."""
    question = Prepared(lambda number: Account.objects.filter(pk=number).extra(where=["nothing"]))
    with pytest.raises(DatabaseError):
        question.rows(1)


def test_what_the_frame_asks_is_the_accounts_own(world: World) -> None:
    """Names, pauses and requests of one account tell nothing of another's."""
    server = add_server(world.owner, "mx1", addresses=["198.51.100.7"])
    asked = {"account": world.owner.account, "server": server.pk, "created": 1, "text": "Why?"}
    for number, state in enumerate((State.OPEN, State.OPEN, State.DECLINED)):
        RemovalRequest.objects.create(
            **asked, client=f"203.0.113.{number}", token=f"token-{number}", state=state
        )
    pause(world.owner, "mx1")
    pause(world.owner)
    assert present_servers(world.owner) == names_of_servers(world.owner) == {server.pk: "mx1"}
    assert [one.name for one in own_servers(world.owner)] == ["mx1"]
    assert pauses_of(world.viewer, 0) == [Pause("", None), Pause("mx1", None)]
    assert (count_open(world.owner), count_open(world.outsider)) == (2, 0)
    assert present_servers(world.outsider) == names_of_servers(world.outsider) == {}
    assert own_servers(world.outsider) == []
    assert pauses_of(world.outsider, 0) == []


def test_totals_follow_from_the_counts(world: World) -> None:
    """As many as are found for each filter that they tell all of; of others nothing is claimed."""
    block(world.owner, "203.0.113.1", "203.0.113.2", ".spam.example")
    allow(world.owner, "203.0.113.0/24", "mail.example.net")
    block(world.outsider, "203.0.113.1")
    versions = Version.objects.filter(account=world.owner.account)
    versions.filter(target="203.0.113.2").update(expires=1)
    versions.filter(target="mail.example.net").update(enabled=False)
    versions.filter(target=".spam.example").update(source="feed", origin="list")
    with read_once():
        assert count(world.owner).expired == 1
        for action, sources, expired, off in product(
            ("", "block", "allow"),
            ((), ("feed",), ("person", "trigger")),
            (False, True),
            (False, True),
        ):
            wanted = Filter(action=action, sources=sources, expired=expired, off=off)
            found = find_listings(world.owner, wanted).count()
            assert total_of(world.owner, wanted) == found, wanted
    assert total_of(world.outsider, Filter()) == 1
    assert total_of(world.owner, Filter(server=3)) is None
    assert total_of(world.owner, Filter(text="spam")) is None


def test_a_count_of_nothing(db: None) -> None:
    """Groups of nothing are none, which is told as nought."""
    question = Prepared(
        lambda account: (
            Version.objects.filter(account=account)
            .values_list("account")
            .annotate(count=Count("pk"))
            .order_by()
        )
    )
    assert sum(count for _, count in question.rows(1)) == 0


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("unindexed", [False, True])
def test_numbers_that_are_written_out(unindexed: bool) -> None:
    """They find what they find as parameters; none find nothing."""
    for number in (1, 2, 3_000_000_000):
        ServerUse.objects.create(server=number, last=number)
    for numbers in ([1, 3_000_000_000], [2, 5], [5], []):
        found = ServerUse.objects.filter(one_of("server", numbers, unindexed=unindexed), last__gt=0)
        assert set(found) == set(ServerUse.objects.filter(server__in=numbers))
