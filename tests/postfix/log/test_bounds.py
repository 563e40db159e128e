"""Tables are bounded: the oldest is handed out as far as it is known, and nothing is lost."""

from dataclasses import replace

import pytest

from mailmum.postfix.log import book, messages, quick, sessions, weight
from mailmum.postfix.log.reader import LogReader
from mailmum.traffic.sightings import Delivery
from tests.postfix.log.reading import WHOLE, feed, lines

_COUNT = 400


@pytest.mark.parametrize("hosts", [1, 20])
def test_more_sessions_than_there_is_room_for(hosts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told once."""
    monkeypatch.setattr(quick, "MAX_SESSIONS", 10)
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 10)
    text = "".join(
        lines(f"smtpd[{pid}]: connect from unknown[192.0.2.1]", host=f"mx{pid % hosts}")
        for pid in range(_COUNT)
    )
    reader = LogReader(WHOLE)
    sightings, _ = feed(reader, [text.encode()])
    assert len(sightings) == _COUNT
    assert reader.dropped == _COUNT - 10


@pytest.mark.parametrize("hosts", [1, 20])
def test_more_messages_and_hosts_than_there_is_room_for(
    hosts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told once; what is learned later is an update while it is remembered."""
    monkeypatch.setattr(book, "MAX_MESSAGES", 300)
    monkeypatch.setattr(book, "MAX_HOSTS", 3)
    text = "".join(
        lines(
            f"smtpd[9]: {number:06X}: client=unknown[192.0.2.1]",
            f"qmgr[3]: {number:06X}: from=<>, size=9, nrcpt=1 (queue active)",
            host=f"mx{number * hosts // _COUNT}",
        )
        for number in range(_COUNT)
    )
    end = lines(
        f"lmtp[4]: {_COUNT - 1:06X}: to=<a@b.example>, relay=x, delay=1, status=sent (250 ok)",
        host=f"mx{hosts - 1}",
    )
    reader = LogReader(WHOLE)
    sightings, updates = feed(reader, [text.encode(), end.encode()])
    assert len({(one.host, one.queue_id) for one in sightings}) == len(sightings) == _COUNT
    assert [one.delivery for one in sightings if one.delivery] == ["sent"]
    assert updates == []
    assert reader.dropped


def test_more_that_wait_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has waited longest is looked after and waits on; each is told once in the end."""
    monkeypatch.setattr(messages, "MAX_MESSAGES", 100)
    text = "".join(
        lines(f"smtpd[9]: {number:06X}: client=unknown[192.0.2.1]") for number in range(_COUNT)
    )
    reader = LogReader(replace(WHOLE, hold=3600.0))
    begun = reader.feed(text.encode())
    # Those that have left the queue wait as well, since a filter may still have given them back.
    through = "".join(
        lines(
            f"smtpd[9]: {number:06X}: client=unknown[127.0.0.1]",
            f"qmgr[3]: {number:06X}: from=<>, size=9, nrcpt=1 (queue active)",
            f"qmgr[3]: {number:06X}: removed",
        )
        for number in range(_COUNT, 3 * _COUNT)
    )
    told = begun.sightings + reader.feed(through.encode()).sightings
    assert len(reader.dump()) < 200_000
    told += reader.finish().sightings
    assert sorted(one.queue_id for one in told if one.queue_id) == [
        f"{number:06X}" for number in range(_COUNT, 3 * _COUNT)
    ]


def test_a_message_with_many_notes() -> None:
    """Retries over days are read as they come."""
    again = [
        "qmgr[3]: 8F1D02A: from=<a@b.example>, size=9, nrcpt=1 (queue active)",
        "smtp[4]: 8F1D02A: to=<c@d.example>, relay=none, delay=9, status=deferred (later)",
    ]
    text = lines("smtpd[9]: 8F1D02A: client=unknown[192.0.2.1]", *again * 100)
    reader = LogReader(WHOLE)
    assert reader.feed(text.encode()).sightings == []
    assert len(reader.dump()) < 2000
    (seen,) = reader.finish().sightings
    assert (seen.recipient, seen.delivery) == ("c@d.example", "deferred")


@pytest.mark.parametrize("hosts", [1, 20])
def test_more_than_there_is_memory_for(hosts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is open weighs no more than it may, and each is told once."""
    monkeypatch.setattr(weight, "MAX_WEIGHT", 1 << 20)
    monkeypatch.setattr(weight, "_LEAST_READ", 1 << 16)
    reader = LogReader(WHOLE)
    sightings = []
    for number in range(_COUNT):
        name = f"{number}.{'x' * 8000}.example"
        text = lines(
            f"smtpd[{number}]: connect from {name}[192.0.2.1]",
            f"smtpd[{number}]: {number:06X}: client={name}[192.0.2.1]",
            f"qmgr[3]: {number:06X}: from=<>, size=9, nrcpt=1 (queue active)",
            host=f"mx{number % hosts}",
        )
        sightings += reader.feed("".join(text).encode()).sightings
        tables = [reader._book.sessions, *(one.fresh for one in reader._book.hosts.values())]
        assert sum(map(weight.weight, tables)) < 3 << 19
    sightings += reader.finish().sightings
    assert len({seen.queue_id for seen in sightings}) == len(sightings) == _COUNT
    assert reader.dropped


def test_memory_is_weighed_with_all_that_hangs_on_it() -> None:
    """One message may have a thousand recipients, and each of them as many addresses."""
    message = book.Message(("key", "stamp", "client=x", "8F1D02A"))
    before = weight.weight(message)
    message.fates = {"a" * 1000: {"b" * 1000: Delivery.SENT}}
    assert 2000 < weight.weight(message) - before < 4000
    child = book.Message(("key", "stamp", "client=x", "8F1D02B"))
    child.parent = message
    assert weight.weight(child) > 2 * before + 2000


def test_what_lists_said_is_bounded_without_being_weighed() -> None:
    """As many clients as there is room for, on as many lists, with names as long as they may be."""
    reader = LogReader(WHOLE)
    host = "h" * 255
    for block in range(17):
        clients = [f"2001:db8:1111:1111:1111:1111:{block:x}111:1{one:03x}" for one in range(256)]
        said = (
            f"dnsblog[7]: addr {client} listed by domain {zone:02}{'z' * 253} as 127.0.0.2"
            for client in clients
            for zone in range(17)
        )
        text = "".join(f"Nov 25 08:00:00 {host} postfix/{one}\n" for one in said)
        assert reader.feed(text.encode()).sightings == []
    listed = reader._router.screen.listed
    assert len(listed) == 1 << 12
    assert {len(zones) for zones in listed.values()} == {16}
    assert 4 << 20 < weight.weight(listed) < 32 << 20
