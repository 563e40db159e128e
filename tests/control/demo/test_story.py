"""The demo's week: the same each time, understood by the log reader, and nobody's real address."""

import ipaddress
import re
from collections import Counter
from datetime import UTC

import pytest

from mailmum.control.demo.asking import names, query
from mailmum.control.demo.fill import ACCOUNTS
from mailmum.control.demo.story import DAY, DAYS, LAST_HOURS, OWN, Host, Week
from mailmum.postfix.log.reader import LogReader, Settings
from mailmum.traffic.sightings import Outcome, Sighting
from tests.dns.world import NOW

END = NOW
HOSTS = [host for hosts in ACCOUNTS.values() for host in hosts]
DOCUMENTATION = [
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def sightings(host: Host) -> tuple[list[Sighting], int]:
    """What the log reader finds in a week, and how many lines it does not understand."""
    reader = LogReader(Settings(now=END, zone=UTC, hold=None))
    found = list(reader.feed(Week(host, END).lines()[0]).sightings)
    found += reader.tick(END + 3600).sightings
    return found, reader.unrecognised


def test_two_accounts_and_four_servers() -> None:
    """As it is told."""
    assert (len(ACCOUNTS), len(HOSTS)) == (2, 4)
    assert len({host.seed for host in HOSTS}) == 4


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_a_week_is_understood_whole(host: Host) -> None:
    """No line is beyond the reader, and all kinds of outcomes are in it."""
    found, unrecognised = sightings(host)
    assert unrecognised == 0
    outcomes = Counter(one.outcome for one in found)
    wanted = {
        Outcome.ACCEPTED,
        Outcome.REJECTED,
        Outcome.DEFERRED,
        Outcome.UNKNOWN_RECIPIENT,
        Outcome.AUTH_FAILED,
        Outcome.LOST,
    }
    assert wanted <= set(outcomes)
    assert all(END - DAYS * DAY <= one.time <= END for one in found)
    assert any(one.rbl == OWN for one in found)


def test_the_same_each_time_and_another_for_each_server() -> None:
    """From seed and end alone."""
    assert Week(HOSTS[0], END).lines() == Week(HOSTS[0], END).lines()
    assert Week(HOSTS[0], END).lines() != Week(HOSTS[1], END).lines()


def test_in_two_parts() -> None:
    """The last hours apart, and no line lost: between them triggers are made."""
    whole, nothing = Week(HOSTS[0], END).lines()
    most, last = Week(HOSTS[0], END).lines(END - LAST_HOURS)
    assert nothing == b""
    assert most + last == whole
    assert most.count(b"\n") > last.count(b"\n") > 100


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_only_addresses_and_names_for_documentation(host: Host) -> None:
    """Nobody real is shown as an abuser."""
    text = Week(host, END).lines()[0].decode()
    for client in set(re.findall(r"\[([0-9a-f.:]+)\]: ", text)) | {
        one.client for one in sightings(host)[0] if one.client
    }:
        if not client.isdigit():
            address = ipaddress.ip_address(client)
            assert any(address in network for network in DOCUMENTATION), client
    for domain in set(re.findall(r"@([a-z0-9.-]+)>", text)):
        assert domain.endswith(".example") or domain in ("localhost", "unknown"), domain


def test_what_dns_is_asked() -> None:
    """The same in the same order, in both lists, as a packet that others read."""
    from dns.message import from_wire

    asked = names(["k7dqpmw2x4hnt9ab"], "mailmum.internal")
    first = [next(asked) for _ in range(20)]
    again = names(["k7dqpmw2x4hnt9ab"], "mailmum.internal")
    assert first == [next(again) for _ in range(20)]
    assert {name.split(".")[5] for name in first} == {"wl", "bl"}
    message = from_wire(query(first[0], 70_000))
    assert message.question[0].name.to_text() == f"{first[0]}."
    assert list(names([], "mailmum.internal")) == []
