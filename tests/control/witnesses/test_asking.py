"""Lists are asked seldom, believed little, and by who has chosen them only."""

import pytest

from mailmum.control.alerts.comparing import look
from mailmum.control.alerts.models import Alert
from mailmum.control.alerts.watches import WATCHES
from mailmum.control.journal.models import Record
from mailmum.control.witnesses import asking, services
from mailmum.control.witnesses.asking import ask_about, check_health
from mailmum.control.witnesses.models import Health, Said, Witness
from mailmum.control.witnesses.services import add_witness, remove_witness
from mailmum.control.witnesses.work import caring
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.targets import parse_network
from tests.control.alerts.kit import NOW
from tests.control.witnesses.kit import (
    CLEAN,
    DEAF,
    EMPTY,
    GOOD,
    LISTED,
    PARKED,
    SILENT,
    WILD,
    choose,
    lists,
)
from tests.support.world import World

ALL = (GOOD, WILD, PARKED, EMPTY, DEAF, SILENT)


def said(world: World, client: str, now: float = NOW) -> dict[str, bool | None]:
    """What the lists of the owner say."""
    found = ask_about(world.owner, parse_network(client), now=now)
    return {one.zone: one.listed for one in found}


def test_nothing_is_asked_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before somebody chose, nor by who did not choose."""
    with lists(monkeypatch) as running:
        assert said(world, LISTED) == {}
        list(caring(NOW))
        choose(world.outsider, GOOD)
        assert said(world, LISTED) == {}
        assert running.resolver.asked == []


def test_what_lists_say(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that works is believed; what others say is unknown, and never a listing."""
    with lists(monkeypatch):
        choose(world.owner, *ALL)
        unknown = dict.fromkeys(ALL[1:])
        assert said(world, LISTED) == {GOOD: True, **unknown, EMPTY: False}
        assert said(world, CLEAN) == {GOOD: False, **unknown, EMPTY: False}
        notes = {
            one.zone: one.note for one in ask_about(world.owner, parse_network(LISTED), now=NOW)
        }
    assert "lists everything" in notes[WILD]
    assert "127.255.255.x" in notes[DEAF]
    assert notes[GOOD] == ""


def test_how_they_fare(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By real answers; since when is kept; and the administrator is told."""
    watch = [one for one in WATCHES if one.kind == "rbl-dead"]
    with lists(monkeypatch):
        choose(world.owner, *ALL)
        list(caring(NOW))
        list(caring(NOW + 600))
    found = {one.zone: (one.state, one.since, one.checked) for one in Health.objects.all()}
    assert found == {
        GOOD: ("works", NOW, NOW + 600),
        WILD: ("wildcard", NOW, NOW + 600),
        PARKED: ("wildcard", NOW, NOW + 600),
        EMPTY: ("empty", NOW, NOW + 600),
        DEAF: ("refused", NOW, NOW + 600),
        SILENT: ("silent", NOW, NOW + 600),
    }
    look(world.owner.account, watch, now=NOW)
    look(world.outsider.account, watch, now=NOW)
    told = {one.about: one.account_id for one in Alert.objects.all()}
    assert told == dict.fromkeys(ALL[1:], world.owner.account.pk)


def test_a_list_that_lists_the_world_one_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is noticed when it says so, not only when it is next looked at."""
    with lists(monkeypatch) as running:
        running.wild.wildcard = ""
        running.wild.list_address("127.0.0.2")
        choose(world.owner, WILD)
        check_health([WILD], now=NOW)
        assert said(world, LISTED) == {WILD: False}
        running.wild.wildcard = "127.0.0.2"
        later = NOW + asking.FRESH + 1
        assert said(world, LISTED, later) == {WILD: None}
        assert Health.objects.get(zone=WILD).state == "wildcard"
        # It is asked no more until it has been found to work again.
        count = len(running.asked(WILD))
        assert said(world, CLEAN, later) == {WILD: None}
        assert len(running.asked(WILD)) == count
        running.wild.wildcard = ""
        list(caring(later + 60))
        assert said(world, CLEAN, later + 60) == {WILD: False}


def test_answers_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as they hold; then they are asked again, and old ones go."""
    with lists(monkeypatch) as running:
        choose(world.owner, GOOD)
        check_health([GOOD], now=NOW)

        def count() -> int:
            return sum(one.startswith("7.113.0.203.") for one in running.asked(GOOD))

        for _ in range(3):
            assert said(world, LISTED) == {GOOD: True}
        assert count() == 1
        said(world, LISTED, NOW + 301)
        assert count() == 2
        # A clock that was set back does not make it hold for ever.
        said(world, LISTED, NOW - 86_400)
        assert count() == 3
    kept = Said.objects.get()
    list(caring(kept.until + 1))
    assert not Said.objects.exists()


def test_no_list_is_asked_too_often(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over that stays unknown until the next minute."""
    monkeypatch.setattr(asking, "A_MINUTE", 3)
    with lists(monkeypatch) as running:
        choose(world.owner, GOOD)
        choose(world.outsider, GOOD)
        check_health([GOOD], now=NOW)
        before = len(running.asked(GOOD))
        for last in range(10, 12):
            assert said(world, f"203.0.113.{last}") == {GOOD: False}
        ask_about(world.outsider, parse_network("203.0.113.12"), now=NOW)
        [full] = ask_about(world.owner, parse_network(LISTED), now=NOW + 59)
        assert (full.listed, full.note) == (None, "asked too often in this minute")
        assert len(running.asked(GOOD)) == before + 3
        assert said(world, LISTED, NOW + 61) == {GOOD: True}


def test_what_is_not_asked_about(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks, and addresses that are nobody's business."""
    with lists(monkeypatch) as running:
        choose(world.owner, GOOD)
        for client in ("203.0.113.0/24", "10.0.0.1", "127.0.0.1", "fe80::1"):
            with pytest.raises(BadInput):
                ask_about(world.owner, parse_network(client), now=NOW)
        assert running.resolver.asked == []


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "nodot",
        "a b.example",
        "203.0.113.7",
        "x" * 70 + ".example",
        ".".join(["abcdefghi"] * 20),
        "kx.bl.mailmum.internal",
    ],
)
def test_lists_that_are_none(world: World, zone: str) -> None:
    """Refused, our own among them."""
    with pytest.raises(BadInput) as caught:
        add_witness(world.admin, zone)
    assert caught.value.field == "zone"


def test_lists_come_and_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journaled, bounded, each once, and nobody else's."""
    add_witness(world.admin, " GOOD.example. ")
    with pytest.raises(Conflict):
        add_witness(world.owner, GOOD)
    monkeypatch.setattr(services, "MOST", 1)
    with pytest.raises(Conflict):
        add_witness(world.owner, EMPTY)
    with pytest.raises(NotFound):
        remove_witness(world.outsider, GOOD)
    remove_witness(world.owner, "good.example.")
    assert not Witness.objects.exists()
    told = list(Record.objects.filter(what__startswith="rbl.").values_list("what", "summary"))
    assert sorted(told) == [
        ("rbl.add", "public list good.example"),
        ("rbl.remove", "public list good.example"),
    ]
