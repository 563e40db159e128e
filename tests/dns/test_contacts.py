"""One contact counts once, however a mail server asks about it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns import contacts
from mailmum.dns.contacts import HABIT, Contacts
from mailmum.dns.counters import ClientCount

VERDICTS = ["none", "block", "allow"]
ALLOWING = {"bl": "wl", "dbl": "dwl"}


def lookups(block: str, verdict: str, habit: str) -> list[str]:
    """The lists that a mail server asks about one client."""
    allow = ALLOWING[block]
    if habit == "smtpd":
        # permit_dnswl_client, then reject_rbl_client: the first to answer ends it.
        return [allow] if verdict == "allow" else [allow, block]
    return {"postscreen": [block, allow], "only block": [block], "only allow": [allow]}[habit]


def pick(picker: Contacts, counts: list[ClientCount], now: float) -> list[ClientCount]:
    """What counts in one stretch of time."""
    picker.note(((one.server, one.list) for one in counts), now)
    return list(picker.of(counts, now))


@given(
    st.sampled_from(["smtpd", "postscreen", "only block", "only allow"]),
    st.sampled_from(["bl", "dbl"]),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(VERDICTS)), max_size=12),
    st.data(),
)
def test_each_contact_counts_once(
    habit: str, block: str, seen: list[tuple[int, str]], data: st.DataObject
) -> None:
    """Whichever lists are asked, in whichever order, and wherever batches end.

    What a server's first batch can tell of its habits is needed: a batch that ends between the two
    lists of its very first contact may count that one twice.
    """
    asked = [
        ClientCount(7, list_, (4, client), verdict, False, 1)
        for client, verdict in seen
        for list_ in lookups(block, verdict, habit)
    ]
    asked = data.draw(st.permutations(asked))
    picker = Contacts()
    first = [
        ClientCount(7, list_, (4, 9), "none", False, 1) for list_ in lookups(block, "none", habit)
    ]
    assert sum(one.count for one in pick(picker, first, 0.0)) == 1
    cut = data.draw(st.integers(0, len(asked)))
    found: Counter[object] = Counter()
    for now, part in ((1.0, asked[:cut]), (2.0, asked[cut:])):
        for one in pick(picker, part, now):
            found[one.subject, one.verdict] += one.count
    assert found == Counter(((4, client), verdict) for client, verdict in seen)


def test_a_habit_that_ended_is_forgotten() -> None:
    """A server that no longer asks the allow list has all its contacts seen again."""
    picker = Contacts()
    both = [ClientCount(7, list_, (4, 1), "allow", False, 1) for list_ in ("bl", "wl")]
    assert [one.list for one in pick(picker, both, 0.0)] == ["wl"]
    assert [one.list for one in pick(picker, both[:1], HABIT - 1)] == []
    assert [one.list for one in pick(picker, both[:1], HABIT)] == ["bl"]


def test_servers_have_habits_of_their_own() -> None:
    """What one asks says nothing of another."""
    picker = Contacts()
    one = ClientCount(7, "wl", (4, 1), "none", False, 1)
    other = ClientCount(8, "bl", (4, 1), "allow", False, 1)
    assert pick(picker, [one, other], 0.0) == [one, other]


def test_names_do_not_hide_addresses() -> None:
    """Lists of names and of addresses have nothing to do with each other."""
    address = ClientCount(7, "bl", (4, 1), "allow", False, 1)
    name = ClientCount(7, "dwl", "mail.example", "none", False, 3)
    assert pick(Contacts(), [address, name], 0.0) == [address, name]


def test_what_is_nobody_or_not_of_dns_is_left_out() -> None:
    """A sighting needs a client; requests to the policy service are sightings themselves."""
    nobody = ClientCount(7, "bl", None, "block", False, 3)
    policy = ClientCount(7, "policy", (4, 1), "block", False, 3)
    assert pick(Contacts(), [nobody, policy], 0.0) == []


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many servers ask."""
    monkeypatch.setattr(contacts, "SERVERS", 10)
    picker = Contacts()
    for server in range(1, 100):
        pick(picker, [ClientCount(server, "bl", (4, 1), "none", False, 1)], 0.0)
        assert len(picker._asked) <= 11
