"""Handing counts over, and the record of faults."""

import contextlib
import threading
from collections.abc import Iterable, Iterator

import pytest

from mailmum.daemons import counts
from mailmum.daemons.counts import MINUTES, Handover, Parcel, Report, Sink, Taken
from mailmum.daemons.dnsd_faults import FaultLog
from mailmum.daemons.sightings import Sightings
from mailmum.dns.counters import BLOCK, LIMIT, ClientCount, CountBatch, Counters
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.sightings import Sighting
from tests.support.logs import captured_logs
from tests.support.waiting import eventually

REPORT = Report("p", "dns", 0.0)


def taken(count: int, client: int = 1) -> Taken:
    """So many blocks of one client for one server."""
    return Taken(CountBatch.of([ClientCount(1, "bl", (4, client), "block", False, count)]))


def sum_of(parcels: Iterable[Parcel]) -> int:
    """All that was counted in parcels."""
    return sum(one.count for parcel in parcels for one in parcel.taken.batch.verdicts)


class Table:
    """A sink as a database is one: it notes numbers with what it stores, and may break off."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []
        self.away = False
        self.breaks_off = 0
        self.offers = 0

    def __call__(self, parcel: Parcel) -> None:
        self.offers += 1
        if self.away:
            raise SourceUnavailable("away")
        if parcel.number > max((one.number for one in self.parcels), default=0):
            self.parcels.append(parcel)
        if self.breaks_off:
            self.breaks_off -= 1
            raise SourceUnavailable("the connection broke after the commit")


@contextlib.contextmanager
def running(sink: Sink) -> Iterator[Handover]:
    """A handover at work, ended with the block."""
    handover = Handover("dns", sink, (0.01, 0.05))
    thread = threading.Thread(target=handover.run)
    thread.start()
    try:
        yield handover
    finally:
        handover.end()
        thread.join(5)
        assert not thread.is_alive()


def test_what_was_stored_and_not_acknowledged_is_not_stored_twice() -> None:
    """The same parcel comes again, unchanged and under the same number."""
    table = Table()
    table.breaks_off = 3
    with running(table) as handover:
        for count in (1, 2, 3):
            handover.put(60.0, taken(count), REPORT)
        eventually(lambda: len(table.parcels) == 3)
    assert [one.number for one in table.parcels] == [1, 2, 3]
    assert [sum_of([one]) for one in table.parcels] == [1, 2, 3]
    assert table.offers == 6


def test_while_the_sink_is_away_counts_wait_by_the_minute() -> None:
    """Nothing is fetched more often, so the loop's own table holds the rest; nothing is lost."""
    table, counters = Table(), Counters()
    table.away = True
    counted = 0
    with running(table) as handover:
        for second in range(0, 600, 5):
            counters.count(1, "bl", second % 7, BLOCK)
            counted += 1
            if handover.wants(second):
                handover.put(second, Taken(counters.take()), REPORT)
        eventually(lambda: table.offers > 3)
        assert handover.waiting > 0
        assert not table.parcels
        table.away = False
        eventually(lambda: len(table.parcels) == 10)
        handover.put(600.0, Taken(counters.take()), REPORT)
    assert sum_of(table.parcels) == counted
    minutes = [one.time // 60 for one in table.parcels]
    assert minutes == [*range(10), 10]
    assert handover.waiting == 0


def test_waiting_is_bounded() -> None:
    """By parcels and by what they hold, whatever the sink does."""
    handover = Handover("dns", lambda _: None, (0.01, 0.05))
    for minute in range(MINUTES):
        assert handover.wants(60.0 * minute)
        handover.put(60.0 * minute, taken(1), REPORT)
    assert not handover.wants(60.0 * MINUTES)
    handover = Handover("dns", lambda _: None, (0.01, 0.05))
    handover.put(0.0, Taken(CountBatch(dict.fromkeys(range(LIMIT), 1))), REPORT)
    assert not handover.wants(60.0)


def test_a_fault_of_the_sink_costs_one_parcel_and_is_told() -> None:
    """Else the same parcel would end the thread for ever."""
    parcels: list[Parcel] = []

    def sink(parcel: Parcel) -> None:
        if parcel.number == 1:
            raise ZeroDivisionError
        parcels.append(parcel)

    handover = Handover("dns", sink, (0.01, 0.05))
    handover.put(0.0, taken(5), REPORT)
    with pytest.raises(ZeroDivisionError):
        handover.run()
    assert handover.wants(0.0)
    handover.put(0.0, taken(2), REPORT)
    handover.end()
    handover.run()
    assert [(one.number, one.given_up) for one in parcels] == [(2, 5)]


def test_losses_are_told_in_the_log() -> None:
    """What found no room, seldom; what could not be stored before the end."""
    counters = Counters(limit=2)
    for client in range(5):
        counters.count(1, "bl", client, BLOCK)
    table = Table()
    with captured_logs() as logs, running(table) as handover:
        handover.put(0.0, Taken(counters.take(), (), 7), REPORT)
        handover.put(0.0, Taken(counters.take(), (), 7), REPORT)
        eventually(lambda: len(table.parcels) == 2)
        table.away = True
        handover.put(0.0, taken(4), REPORT)
    lines = [entry for entry in logs if entry["event"] == "dns.counts-lost"]
    assert [(one.get("clients"), one.get("sightings"), one.get("counts")) for one in lines] == [
        (3, 7, None),
        (None, None, 4),
    ]


def test_a_sink_that_stays_away_is_told_in_the_log_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that it is back."""
    monkeypatch.setattr(counts, "_PATIENCE", 0.05)
    table = Table()
    table.away = True
    with captured_logs() as logs, running(table) as handover:
        handover.put(0.0, taken(1), REPORT)
        eventually(lambda: table.offers > 8)
        table.away = False
        eventually(lambda: len(table.parcels) == 1)
    told = [entry["event"] for entry in logs if entry["log_level"] != "debug"]
    assert told == ["dns.counts-not-stored", "dns.counts-stored-again"]


def test_sightings_are_bounded() -> None:
    """What finds no room is counted."""
    kept = Sightings(limit=3)
    for number in range(5):
        kept.add(7, Sighting(float(number)))
    seen, dropped = kept.take()
    assert [(one.server, one.sighting.time) for one in seen] == [(7, 0.0), (7, 1.0), (7, 2.0)]
    assert dropped == 2
    assert kept.take() == ([], 0)


def test_a_fault_is_logged_once_an_hour_and_counted_always() -> None:
    """By what was raised and where."""
    counters, now = Counters(), [0.0]
    faults = FaultLog(counters, lambda: now[0])
    packet = bytes.fromhex("12340100000100000000000001610000010001")

    def fail(kind: type[Exception]) -> bytes | None:
        try:
            raise kind
        except Exception as error:  # noqa: BLE001 (as the loop does)
            return faults.internal(packet, error)

    with captured_logs() as logs:
        answer = fail(ValueError)
        fail(ValueError)
        fail(KeyError)
        now[0] = 3601.0
        fail(ValueError)
    assert answer == bytes.fromhex("123481020000000000000000")
    assert [entry["packet"] for entry in logs] == [packet.hex()] * 3
    assert dict(counters.take().faults) == {"internal": 4}


def test_a_fault_over_what_is_no_query_is_not_answered() -> None:
    """Responses and scraps stay without an answer whatever happens."""
    faults = FaultLog(Counters())
    with captured_logs():
        assert faults.internal(b"short", ValueError()) is None
        assert faults.internal(bytes((0, 0, 0x80, *bytes(9))), ValueError()) is None
