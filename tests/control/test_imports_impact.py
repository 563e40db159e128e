"""Whom an import would have hit, told before it is done: held against `check`."""

from dataclasses import replace
from typing import Any

import pytest

from mailmum.control.imports.blocks import Blocks
from mailmum.control.imports.options import ImportOptions, Report
from mailmum.control.imports.services import run_import
from mailmum.control.journal.moments import moment
from mailmum.control.monitor import lists
from mailmum.control.monitor.impact import check
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import Traffic, traffic

__all__ = ["traffic"]

MAIL, TOWN = "198.51.100.201", "198.51.100.130"
TARGETS = (
    "198.51.100.0/24",
    MAIL,
    "2001:db8:1::/48",
    "203.0.113.9",
    "192.0.3.0/24",
    ".news.example",
    ".pool.example",
    "mail.city.example",
)


@pytest.fixture
def busy(traffic: Traffic) -> Traffic:
    """Abuse and mail, at two servers, by log and by lookups, and what another account saw."""
    traffic.log(*traffic.pool())
    traffic.log(*traffic.mail(MAIL, 12, "out1.news.example"))
    traffic.log(*traffic.mail(TOWN, 3, "mail.city.example"), server="mx2")
    traffic.log(traffic.seen("2001:db8:1::7", Outcome.ACCEPTED, client_name="six.news.example"))
    traffic.asked(MAIL, Outcome.CONNECTED, 12)
    traffic.asked("203.0.113.9", Outcome.CONNECTED, 4)
    traffic.foreign(*traffic.mail("198.51.100.70", 500, "mail.example"))
    return traffic


def looked(traffic: Traffic, text: str, **options: Any) -> dict[str, Any] | None:
    """What a dry run tells of whom it would have hit."""
    chosen = ImportOptions(**{"label": "list.txt", "dry_run": True, **options})
    blocks = Blocks(chosen)
    *_, report = run_import(traffic.world.admin, [text.encode()], chosen, blocks=blocks)
    assert isinstance(report, Report)
    return blocks.impact(traffic.world.viewer, now=traffic.now)


def told(traffic: Traffic, text: str, **options: Any) -> dict[str, Any]:
    """The same where something is blocked."""
    found = looked(traffic, text, **options)
    assert found is not None
    return found


def csv(*rows: str) -> str:
    """A file that says all of each listing."""
    return "\n".join(["target,action,scope,source,enabled", *rows]) + "\n"


def hits(found: dict[str, Any]) -> dict[str, tuple[int, bool]]:
    """Clients with accepted mail: how much of it, and whether they are kept."""
    return {
        one["client"]: (one["accepted"], one["kept"]) for one in found["hits"] if one["accepted"]
    }


@pytest.mark.parametrize("server", [None, "mx1", "mx2"])
def test_an_import_of_one_is_what_check_tells(busy: Traffic, server: str | None) -> None:
    """Contact by contact, whoever lists it, and whether the file or the asker says where."""
    for target in TARGETS:
        other = check(busy.world.viewer, parse_target(target), server, now=busy.now)
        ways = [
            told(busy, f"{target}\n", server=server, format="plain"),
            told(busy, f"{target}\n", server=server, format="plain", mine=True),
            told(busy, csv(f"{target},block,{server or 'account'},,")),
        ]
        for found in ways:
            assert found == ways[0]
        found = ways[0]
        assert (found["contacts"], found["clients"]) == (other.contacts, other.clients)
        assert (found["accepted"], found["rejected"]) == (other.accepted, other.rejected)
        assert (found["since"], found["complete"]) == (moment(other.since), other.complete)
        assert [(one["client"], one["accepted"], one["kept"]) for one in found["hits"]] == [
            (one.client, one.accepted, one.kept) for one in other.hits
        ]


def test_parts_of_a_file_count_where_they_hold(busy: Traffic) -> None:
    """At their own server; who is hit by several of them counts once."""
    here = told(busy, csv(f"{MAIL},block,mx1,,", f"{TOWN},block,mx1,,"))
    assert hits(here) == {MAIL: (12, False)}
    both = told(
        busy, csv(f"{MAIL},block,mx1,,", f"{TOWN},block,mx2,,", ".pool.example,block,mx2,,")
    )
    assert hits(both) == {MAIL: (12, False), TOWN: (3, False)}
    assert (both["clients"], both["rejected"]) == (2, 0)
    more = told(
        busy,
        csv(
            "198.51.100.0/24,block,account,,",
            f"{MAIL},block,mx1,person,",
            ".news.example,block,mx1,,",
            ".pool.example,block,account,,",
        ),
    )
    assert hits(more) == {MAIL: (12, False), TOWN: (3, False), "2001:db8:1::7": (1, False)}
    assert more["contacts"] == 12 + 3 + 1 + 16 * 5


def test_only_what_would_block_counts(busy: Traffic) -> None:
    """Not what is allowed, switched off, refused, or said again otherwise further down."""
    assert looked(busy, f"{MAIL}\n", action=Action.ALLOW) is None
    assert looked(busy, csv(f"{MAIL},block,,,false", "192.0.3.0/24,allow,,,")) is None
    assert looked(busy, csv(f"{MAIL},allow,,,", f"{MAIL},block,,,")) is None
    assert looked(busy, "nonsense here!\n198.51.100.0/24\n", format="plain") is None
    left = told(busy, f"10.0.0.0/8\n{TOWN}\n", format="plain", leave_out=True)
    assert hits(left) == {TOWN: (3, False)}


def test_its_own_allows_keep_clients(busy: Traffic) -> None:
    """A source's whatever is blocked around; a person's where it is narrower, and it alone."""
    block, allow = "198.51.100.0/24,block,,{},", f"{MAIL},allow,,{{}},"
    kept, lost = {MAIL: (12, True), TOWN: (3, False)}, {MAIL: (12, False), TOWN: (3, False)}
    for who_blocks, who_allows, expected in (
        ("", "", kept),
        ("person", "person", kept),
        ("", "person", kept),
        ("person", "feed", lost),
    ):
        text = csv(block.format(who_blocks), allow.format(who_allows))
        assert hits(told(busy, text)) == expected, (who_blocks, who_allows)
    around = csv(f"{MAIL},block,,person,", "198.51.100.0/24,allow,,person,")
    assert hits(told(busy, around)) == {MAIL: (12, False)}
    machine = csv(f"{MAIL},block,,,", "198.51.100.0/24,allow,,,")
    assert hits(told(busy, machine)) == {MAIL: (12, True)}
    named = csv(".news.example,block,,person,", f"{MAIL},allow,,,")
    assert hits(told(busy, named))[MAIL] == (12, True)
    elsewhere = csv(f"{MAIL},block,mx1,,", "198.51.100.0/24,allow,mx2,,")
    assert hits(told(busy, elsewhere)) == {MAIL: (12, False)}


def test_what_the_account_allows_keeps_clients(busy: Traffic) -> None:
    """As `check` tells it of what a person blocks; of a source anything that is allowed."""
    busy.listed(Action.ALLOW, MAIL)
    network, own = parse_target("198.51.100.0/24"), {"format": "plain", "mine": True}
    found = told(busy, "198.51.100.0/24\n", **own)
    other = check(busy.world.viewer, network, now=busy.now)
    assert (found["kept"], found["verdict"]) == (other.kept, other.verdict.value) == (12, "caution")
    assert hits(told(busy, f"{MAIL}\n", **own)) == {MAIL: (12, False)}
    assert hits(told(busy, f"{MAIL}\n", format="plain")) == {MAIL: (12, True)}


def test_allows_that_go_keep_nobody(busy: Traffic) -> None:
    """A source that allowed until now and blocks from now on; or whose allows have left it."""
    allows = ImportOptions(label="list.txt", action=Action.ALLOW, format="plain")
    list(run_import(busy.world.admin, [f"{MAIL}\n198.51.100.128/26\n".encode()], allows))
    assert hits(told(busy, f"{TOWN}\n", format="plain")) == {TOWN: (3, True)}
    turned = f"{MAIL}\n198.51.100.128/26\n"
    assert set(hits(told(busy, turned, format="plain")).values()) == {(12, False), (3, False)}
    left = told(busy, f"{TOWN}\n", format="plain", remove_missing=True)
    assert hits(left) == {TOWN: (3, False)}
    other = told(busy, f"{TOWN}\n", format="plain", remove_missing=True, label="other")
    assert hits(other) == {TOWN: (3, True)}
    list(run_import(busy.world.admin, [b""], replace(allows, remove_missing=True, force=True)))


def test_it_is_bounded(busy: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is read of the traffic, whatever the file."""
    monkeypatch.setattr(lists, "BUDGET", 3)
    found = told(busy, "198.51.100.0/24\n.pool.example\n")
    assert found["complete"] is False
    assert "there is too much to look at all of it" in found["warnings"][-1]


def test_nothing_is_told_of_others(busy: Traffic) -> None:
    """Of another account's traffic, nor of this one's to others."""
    assert told(busy, "198.51.100.70\n")["accepted"] == 0
    options = ImportOptions(format="plain", dry_run=True)
    blocks = Blocks(options)
    list(run_import(busy.world.outsider, [b"198.51.100.0/24\n"], options, blocks=blocks))
    found = blocks.impact(busy.world.outsider, now=busy.now)
    assert found is not None
    assert (found["clients"], found["accepted"]) == (1, 500)
