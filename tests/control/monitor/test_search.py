"""Searching sightings: what people write, what they get, and never another account's."""

import csv
import io

import pytest

from mailmum.control.monitor.matching import matches
from mailmum.control.monitor.scope import scope_of
from mailmum.control.monitor.search import (
    Question,
    as_csv,
    as_dict,
    now_is,
    page,
    recent,
    since,
    understand,
)
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput, NotFound
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import STRANGE, Traffic

QUESTIONS = [
    Question(),
    Question(server="mx1"),
    Question(server="mx2"),
    Question(client="198.51.100.64"),
    Question(client="198.51.100.64/31"),
    Question(client="2001:db8::/32"),
    Question(client="[2001:db8::1]"),
    Question(client="0.0.0.0/0"),
    Question(name=".pool.example"),
    Question(name="dsl-64.pool.example"),
    Question(name="pool.example"),
    Question(helo="CITY"),
    Question(sender="News@"),
    Question(recipient="owner@"),
    Question(outcomes=("accepted",)),
    Question(outcomes=("rejected", "auth-failed")),
    Question(sources=("dns",)),
    Question(sources=("log", "policy")),
    Question(rbl="Zen.RBL.example"),
    Question(text="POOL.example"),
    Question(groups=("own",)),
    Question(groups=("rbl", "auth")),
    Question(best=True),
    Question(alone=True),
    Question(rbl="zen.rbl.example", alone=True),
    Question(rbl="bl.copper.example", alone=True),
    Question(rbl="nowhere.example"),
    Question(since="90s"),
    Question(until="90s"),
    Question(since="2h", until="90s", server="mx1", outcomes=("accepted",)),
]


ZEN, COPPER = ("zen.rbl.example",), ("bl.copper.example",)


@pytest.fixture
def filled(traffic: Traffic) -> Traffic:
    """A bit of everything."""
    traffic.log(*traffic.pool(ago=3600))
    traffic.log(*traffic.mail("2001:db8::1", 3, "mail.city.example"), server="mx2")
    traffic.log(traffic.seen("203.0.113.7", Outcome.AUTH_FAILED, sender=""))
    traffic.log(
        *(
            traffic.seen(f"203.0.113.{20 + at}", Outcome.REJECTED, rbl=lists[0])._replace(
                named=lists
            )
            for at, lists in enumerate((ZEN, COPPER, (*ZEN, *COPPER), COPPER))
        )
    )
    traffic.asked("198.51.100.64", Outcome.UNLISTED, 7)
    traffic.asked("dsl-64.pool.example", Outcome.LISTED, 2, server="mx2")
    traffic.foreign(*traffic.pool(), *traffic.mail("198.51.100.64", 2, "mail.city.example"))
    return traffic


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_the_filter_is_the_same_twice(filled: Traffic, question: Question) -> None:
    """What the database finds is what matches without it; followed or searched."""
    search = understand(filled.world.viewer, question)
    everything = page(understand(filled.world.viewer, Question()), limit=1000).found
    assert len(everything) == 80 + 3 + 1 + 4 + 2
    expected = {kept.number for kept in everything if matches(search.wanted, kept)}
    assert {kept.number for kept in page(search, limit=1000).found} == expected
    before = min(kept.number for kept in everything) - 1
    assert {kept.number for kept in since(search, before, limit=1000).found} == expected


def test_they_differ(filled: Traffic) -> None:
    """The questions above ask for different things, or they would prove nothing."""
    sizes = [
        len(page(understand(filled.world.viewer, question), limit=1000).found)
        for question in QUESTIONS
    ]
    assert sizes[:13] == [90, 86, 4, 6, 6, 3, 3, 86, 81, 6, 0, 3, 3]
    assert sizes[13:] == [3, 3, 85, 2, 88, 82, 81, 1, 85, 88, 3, 1, 2, 0, 10, 80, 0]


def test_nobody_elses(filled: Traffic) -> None:
    """Nor by a question that would fit, nor by the name of a server."""
    assert not page(understand(filled.world.viewer, Question(name=STRANGE))).found
    assert not page(understand(filled.world.viewer, Question(rbl=STRANGE))).found
    with pytest.raises(NotFound):
        understand(filled.world.viewer, Question(server="foreign"))
    found = page(understand(filled.world.outsider, Question()), limit=1000).found
    assert len(found) == 82
    scope = scope_of(filled.world.outsider)
    assert {as_dict(scope, kept)["server"] for kept in found} == {"foreign"}


@pytest.mark.parametrize(
    ("question", "field", "says"),
    [
        (Question(client="mail.example"), "client", "by name"),
        (Question(client="203.0.113.7/24"), "client", "did you mean"),
        (Question(name="203.0.113.7"), "name", "by client"),
        (Question(name="a..b"), "name", "empty label"),
        (Question(outcomes=("blocked",)), "outcome", "one of accepted"),
        (Question(sources=("syslog",)), "source", "log, dns, policy"),
        (Question(since="yesterday"), "since", "2h or 7d"),
        (Question(until="2026-11-26T10:00"), "until", "time zone"),
        (Question(sender="a\0b"), "sender", "control character"),
        (Question(helo="x" * 400), "helo", "characters"),
    ],
)
def test_what_is_not_understood(
    traffic: Traffic, question: Question, field: str, says: str
) -> None:
    """Is named, with what to write."""
    with pytest.raises(BadInput) as refused:
        understand(traffic.world.viewer, question)
    assert refused.value.field == field
    assert says in str(refused.value)


def test_a_bad_cursor(traffic: Traffic) -> None:
    """Is refused."""
    with pytest.raises(BadInput):
        page(understand(traffic.world.viewer, Question()), before="zzz")


def test_a_table_runs_nothing(traffic: Traffic) -> None:
    """What looks like a formula is made text, also with commas, quotes and line breaks."""
    helo = '=cmd|"/c calc",A1\r\n+1'
    traffic.log(traffic.seen("203.0.113.7", Outcome.REJECTED, helo=helo, score=-1.5))
    rows = list(
        csv.DictReader(
            io.StringIO("".join(as_csv(understand(traffic.world.viewer, Question()))), newline="")
        )
    )
    assert len(rows) == 1
    assert rows[0]["helo"] == f"'{helo}"
    assert (rows[0]["score"], rows[0]["server"], rows[0]["sender"]) == ("-1.5", "mx1", "")


def test_all_pages_of_a_table(filled: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, nothing twice."""
    monkeypatch.setattr("mailmum.control.monitor.search.PAGE_LIMIT", 7)
    text = "".join(as_csv(understand(filled.world.viewer, Question())))
    numbers = [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert len(set(numbers)) == len(numbers) == 90


@pytest.mark.parametrize(("subject", "count"), [("198.51.100.64", 6), ("dsl-66.pool.example", 5)])
def test_the_latest_of_a_subject(filled: Traffic, subject: str, count: int) -> None:
    """An address or a host, newest first."""
    scope = scope_of(filled.world.viewer)
    found = recent(scope, parse_subject(subject).target, 10)
    assert len(found) == count
    assert [kept.sighting.time for kept in found] == sorted(
        (kept.sighting.time for kept in found), reverse=True
    )
    assert len(recent(scope, parse_subject(subject).target, 2)) == 2


def test_the_cursor_of_now(filled: Traffic) -> None:
    """What comes later is new, and nothing before."""
    search, cursor = understand(filled.world.viewer, Question()), now_is()
    assert since(search, cursor).found == ()
    filled.log(filled.seen("203.0.113.9", Outcome.LOST))
    filled.foreign(filled.seen("203.0.113.9", Outcome.LOST))
    assert [kept.sighting.client for kept in since(search, cursor).found] == ["203.0.113.9"]
