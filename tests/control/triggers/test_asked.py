"""Lists that are asked complete a trigger: by real answers, once, and only when they are well."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.triggers import asker as asker_module
from mailmum.control.triggers.asker import Asker, Watched
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.heard import unknown_of
from mailmum.control.triggers.models import Finding, Trigger
from mailmum.control.triggers.services import add_trigger, edit_trigger
from mailmum.control.triggers.values import rule_of
from mailmum.control.witnesses import asking as asking_module
from mailmum.control.witnesses import hearing
from mailmum.control.witnesses.asking import check_health
from mailmum.control.witnesses.models import AskedDay, Health, Said, Word
from mailmum.control.witnesses.services import add_witness, remove_witness
from mailmum.control.witnesses.work import caring
from mailmum.domain.errors import BadInput, NotFound
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from tests.control.providers_kit import provider
from tests.control.triggers.kit import Scene
from tests.control.witnesses.kit import (
    CLEAN,
    DEAF,
    EMPTY,
    GOOD,
    LISTED,
    PARKED,
    SILENT,
    WILD,
    Lists,
)
from tests.control.witnesses.kit import lists as running_lists
from tests.support.nameserver import NameServer as Resolved
from tests.support.postfix_dns import NameServer

SECOND = WILD
"""Lists the world by itself; here it is made to list one client, and is well."""


class Asking:
    """A scene with lists that run, and an asker beside the follower."""

    def __init__(self, scene: Scene, lists: Lists) -> None:
        self.scene, self.lists, self.asker = scene, lists, Asker()
        self.world = scene.world
        lists.wild.wildcard = ""
        for address in ("127.0.0.2", LISTED):
            lists.wild.list_address(address)

    def choose(self, *zones: str) -> None:
        """Have the owner's lists asked."""
        for zone in zones:
            add_witness(self.world.owner, zone)

    def trigger(self, **given: Any) -> Trigger:
        """One for two lists, and the asker knows of it."""
        fields: dict[str, Any] = {"metric": "asked", "threshold": 2, "window": "1d"}
        made = self.scene.trigger(**(fields | given))
        self.ask()
        return made

    def ask(self, later: float = 0.0) -> None:
        """Look at what is new, ask, and judge."""
        self.asker._looked = self.asker._again = 0.0
        list(self.asker.steps(time.time() + later))
        self.scene.follow()

    def see(self, client: str = LISTED, server: str = "mx1") -> None:
        """One contact."""
        self.scene.see(client, 1, Outcome.CONNECTED, server=server)

    def asked(self, client: str = LISTED) -> list[str]:
        """Which lists were asked about a client, each question."""
        name = ".".join(reversed(client.split(".")))
        return [one for one in self.lists.resolver.asked if one.startswith(f"{name}.")]


@pytest.fixture
def asking(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    """Lists that run."""
    with running_lists(monkeypatch) as lists:
        yield Asking(scene, lists)


def test_two_lists_that_are_asked_complete_it(asking: Asking) -> None:
    """Whom both list is listed, with both lists and what was seen as evidence; nobody else."""
    asking.choose(GOOD, SECOND)
    asking.trigger()
    asking.see(CLEAN)
    asking.see()
    asking.ask()
    assert asking.scene.listed() == [LISTED]
    finding = Finding.objects.get()
    assert dict(finding.evidence["lists"]) == {GOOD: 1, SECOND: 1}
    assert finding.evidence["numbers"] == [Word.objects.values_list("sighting")[0][0]]
    assert len(asking.asked(CLEAN)) == 2
    day = AskedDay.objects.get()
    assert (day.account_id, day.asked, day.left_out) == (asking.world.owner.account.pk, 2, 0)


def test_one_list_alone_does_not(asking: Asking) -> None:
    """However often the client comes, and whatever is asked again."""
    asking.choose(GOOD, EMPTY)
    asking.trigger()
    for later in (0, 400, 800, 1200):
        asking.see()
        asking.ask(later)
    assert asking.scene.listed() == []
    assert Word.objects.count() == 4


def test_nobody_is_asked_who_was_not_chosen(asking: Asking) -> None:
    """Without a trigger that wants to know; without lists; about what others' servers saw."""
    asking.choose(GOOD, SECOND)
    asking.see()
    asking.ask()
    trigger = asking.trigger()
    asking.scene.see_foreign(LISTED)
    asking.ask()
    edit_trigger(asking.world.owner, trigger.name, {"mode": "off"})
    asking.see()
    asking.ask()
    assert asking.asked() == []
    assert not Word.objects.exists()


def test_what_was_seen_before_or_long_ago_is_not_asked_about(asking: Asking) -> None:
    """A list says what it says now."""
    asking.choose(GOOD, SECOND)
    asking.see()
    asking.trigger()
    asking.scene.see(LISTED, 1, ago=2 * 3600)
    asking.ask()
    assert asking.asked() == []


def test_who_would_be_spared_is_not_asked_about(asking: Asking) -> None:
    """Who is asked learns whom one deals with: not of friends, own servers, or private space."""
    asking.choose(GOOD, SECOND)
    wish = make_wish(Action.ALLOW, now=time.time())
    list_targets(asking.world.owner, [LISTED], wish)
    asking.trigger()
    asking.see()
    for client in ("192.168.1.7", "127.0.0.9", "fe80::7"):
        asking.see(client)
    asking.scene.see(CLEAN, 9, Outcome.ACCEPTED, ago=7200)
    asking.see(CLEAN)
    asking.ask()
    assert asking.asked() == asking.asked(CLEAN) == []
    assert not AskedDay.objects.exists()


@pytest.mark.parametrize("where", ["account", "server"])
def test_who_is_spared_where_the_trigger_lists(asking: Asking, names: Resolved, where: str) -> None:
    """What is kept at one server counts for what is listed there or everywhere, not elsewhere."""
    asking.choose(GOOD, SECOND)
    names.spf(mailer=f"v=spf1 ip4:{LISTED} -all")
    provider(asking.world.owner, "Mailer", "mailer.example", "except", "mx2")
    asking.trigger(where=where)
    asking.see(server="mx2")
    asking.ask()
    assert asking.asked() == []
    asking.see(server="mx1")
    asking.ask()
    assert bool(asking.asked()) == (where == "server")
    assert asking.scene.listed() == ([LISTED] if where == "server" else [])


def test_a_sighting_that_cannot_be_looked_at_holds_nobody_up(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came with it is asked about; that it was left out is told."""
    broken, meant = asking.scene.servers["mx2"], Watched.is_meant

    def fails(self: Watched, server: int) -> bool:
        if server == broken:
            raise ZeroDivisionError
        return meant(self, server)

    monkeypatch.setattr(Watched, "is_meant", fails)
    asking.choose(GOOD, SECOND)
    asking.trigger()
    asking.see(CLEAN, server="mx2")
    asking.see()
    asking.ask()
    assert asking.scene.listed() == [LISTED]
    assert not asking.asked(CLEAN)
    assert AskedDay.objects.get().left_out == 1


@pytest.mark.parametrize("bad", [PARKED, DEAF, EMPTY, SILENT])
def test_a_list_that_is_not_well_lists_nobody(asking: Asking, bad: str) -> None:
    """Dead, sold, or with a word of its own: one that works and one of these are not two."""
    asking.choose(GOOD, bad)
    asking.trigger()
    for client in (LISTED, CLEAN):
        asking.see(client)
    asking.ask()
    assert asking.scene.listed() == []
    assert list(Word.objects.values_list("zone", flat=True)) == [GOOD]


def test_a_list_that_lists_the_world_since_a_moment_ago(asking: Asking) -> None:
    """It had just been found to be well; it is looked at again before its word counts."""
    asking.choose(GOOD, SECOND)
    asking.trigger(threshold=1)
    check_health([GOOD, SECOND])
    asking.lists.wild.wildcard = "127.0.0.2"
    asking.see(CLEAN)
    asking.ask()
    assert asking.scene.listed() == []
    assert Health.objects.get(zone=SECOND).state == "wildcard"
    # It is well again: what it had said meanwhile counts for nothing still.
    asking.lists.wild.wildcard = ""
    list(caring(time.time() + 30))
    asking.see(CLEAN)
    asking.ask(31)
    assert asking.scene.listed() == []
    assert not Word.objects.exists()


def test_what_a_resolver_keeps_does_not_hide_it(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual test entries may be kept there for hours: one probe is another each time."""
    wild = asking.lists.wild
    asking.choose(SECOND)
    asking.trigger(threshold=1)
    # Everything is listed but what a resolver would have kept.
    kept = {f"1.0.0.127.{SECOND}", f"invalid.{SECOND}"}
    answer = NameServer.answer

    def cached(server: NameServer, packet: bytes) -> bytes | None:
        wild.wildcard = "" if any(_wire(name) in packet for name in kept) else "127.0.0.2"
        return answer(server, packet)

    monkeypatch.setattr(NameServer, "answer", cached)
    asking.see(CLEAN)
    asking.ask()
    assert asking.asked(CLEAN)
    assert (asking.scene.listed(), Word.objects.count()) == ([], 0)


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))


def test_a_kept_word_counts_only_while_its_list_was_well(asking: Asking) -> None:
    """What was said before a list was bad, and is well again, is not to be believed."""
    asking.choose(GOOD)
    asking.trigger(threshold=1)
    asking.see()
    now = int(time.time())
    Health.objects.create(zone=GOOD, state="works", since=now, checked=now)
    client = bytes.fromhex("00000000000000000000ffffcb007107")
    Said.objects.create(zone=GOOD, client=client, meaning="listed", asked=now - 9, until=now + 900)
    asking.ask()
    assert (asking.asked(), asking.scene.listed()) == ([], [])


def test_a_word_counts_once_for_as_long_as_it_holds(asking: Asking) -> None:
    """Seen again, asked again after a restart, heard by two: one word of each list."""
    asking.choose(GOOD, SECOND)
    asking.trigger(threshold=1, mode="observe", lifetime="1m", growth=1)
    asking.see()
    asking.ask()
    for _ in range(3):
        asking.see()
        asking.asker = Asker()
        asking.asker.read = 0
        asking.ask()
    other = Asker(read=0)
    list(other.steps(time.time()))
    assert Word.objects.count() == 2
    assert len(asking.asked()) == 2
    # At another server, and when it holds no more, it is another word.
    asking.see(server="mx2")
    asking.ask()
    assert Word.objects.count() == 4
    assert len(asking.asked()) == 2


def test_a_restart_loses_nobody_who_waits(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before anybody was asked, or while words were taken down, it asks after the start."""
    asking.choose(GOOD, SECOND)
    asking.trigger()
    asking.see()
    with monkeypatch.context() as broken:
        broken.setattr(hearing, "_count", _away)
        with pytest.raises(DatabaseError):
            asking.ask()
    assert not Word.objects.exists()
    asking.asker = Asker()
    asking.ask()
    asking.asker = Asker()
    asking.ask()
    assert asking.scene.listed() == [LISTED]
    assert len(asking.asked()) == 2


def _away(*_: object) -> None:
    raise DatabaseError("away")


def test_the_judge_is_restarted_at_any_moment(asking: Asking) -> None:
    """What was heard is counted again, and neither twice nor not at all."""
    asking.choose(GOOD, SECOND)
    asking.trigger()
    asking.see()
    asking.scene.restart()
    list(asking.asker.steps(time.time()))
    asking.scene.restart()
    asking.scene.follow()
    asking.scene.restart()
    asking.scene.follow()
    assert asking.scene.found() == [("list", LISTED)]


def test_more_than_may_be_asked_wait_or_are_left_out(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the questions of a minute are people's; those seen last come first to be kept."""
    monkeypatch.setattr(asking_module, "A_MINUTE", 4)
    monkeypatch.setattr(asker_module, "EACH", 3)
    asking.choose(GOOD)
    asking.trigger(threshold=1)
    for last in range(20, 25):
        asking.see(f"203.0.113.{last}")
    asking.ask()
    asking.ask()
    assert [bool(asking.asked(f"203.0.113.{last}")) for last in range(20, 25)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    asking.ask(61)
    assert asking.asked("203.0.113.24")
    assert AskedDay.objects.get().left_out == 2


def test_lists_of_the_rule_and_servers_of_the_rule(asking: Asking) -> None:
    """Only those that the rule names are asked, only about what its server sees."""
    asking.choose(GOOD, SECOND, EMPTY)
    asking.trigger(threshold=1, lists=[GOOD], server="mx2", where="server")
    asking.see(server="mx1")
    asking.ask()
    assert asking.asked() == []
    asking.see(server="mx2")
    asking.ask()
    assert len(asking.asked()) == 1
    assert asking.scene.listed() == [LISTED]
    assert Finding.objects.get().scope == asking.scene.servers["mx2"]


def test_a_list_that_is_asked_no_more_counts_no_more(asking: Asking) -> None:
    """Taken away between two words."""
    asking.choose(GOOD, SECOND)
    asking.trigger()
    asking.see()
    list(asking.asker.steps(time.time()))
    remove_witness(asking.world.owner, SECOND)
    asking.scene.follow()
    assert asking.scene.listed() == []


def test_only_lists_that_are_asked_can_be_counted(asking: Asking) -> None:
    """The refusal says what to do first; another account's choice helps nobody."""
    add_witness(asking.world.outsider, GOOD)
    add_witness(asking.world.outsider, SECOND)
    fields = {"metric": "asked", "threshold": 2, "window": "1d"}
    with pytest.raises(BadInput, match="none is asked"):
        add_trigger(asking.world.owner, "x", fields)
    asking.choose(EMPTY)
    with pytest.raises(BadInput, match=f"{GOOD} is not asked"):
        add_trigger(asking.world.owner, "x", fields | {"threshold": 1, "lists": [GOOD]})
    with pytest.raises(BadInput, match="not about domains"):
        add_trigger(asking.world.owner, "x", fields | {"threshold": 1, "group": "domain"})
    add_trigger(asking.world.outsider, "x", fields)
    with pytest.raises(NotFound):
        edit_trigger(asking.world.owner, "x", fields)


def test_the_backtest_knows_what_was_said_and_says_what_it_cannot_know(asking: Asking) -> None:
    """The same code over the words that were kept; of others it says that nobody knows."""
    asking.choose(GOOD, SECOND)
    trigger = asking.trigger(mode="observe")
    rule, owner, now = rule_of(trigger), asking.world.owner, time.time() + 1
    assert "nothing is known" in unknown_of(owner, rule, days=30, now=now)
    asking.see()
    asking.see(CLEAN)
    asking.ask()
    report = last_of(backtest(owner, rule, now=now + 1))
    assert [one["target"] for one in report.listed] == [LISTED]
    assert report.rows == 2
    said = unknown_of(owner, rule, days=30, now=now)
    assert said.startswith("Public lists were asked 2 times about a client since ")
    assert said.endswith("what they would have said of others, or before, nobody knows")
    assert "nothing is known" in unknown_of(asking.world.outsider, rule, days=30, now=now)


def test_what_was_said_goes_with_the_counts_by_the_hour(asking: Asking) -> None:
    """It tells who came, so it is kept no longer than these."""
    asking.choose(GOOD)
    asking.trigger(threshold=1)
    asking.see()
    asking.ask()
    days = asking.world.owner.account.hour_days
    list(caring(time.time() + (days - 1) * 86_400))
    assert Word.objects.count() == 1
    list(caring(time.time() + (days + 3) * 86_400))
    assert not Word.objects.exists()
    assert not AskedDay.objects.exists()
