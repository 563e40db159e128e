"""Handing counts over, and the record of faults."""

import threading

from structlog.testing import capture_logs

from mailmum.daemons.counts import Handover
from mailmum.daemons.dnsd_faults import FaultLog
from mailmum.dns.counters import CountBatch, Counters, VerdictCount
from mailmum.index.records import SourceUnavailable
from tests.daemons.dnsd_kit import eventually


def batch(count: int) -> CountBatch:
    """So many blocks for one server."""
    return CountBatch((VerdictCount(1, "bl", "block", count),))


def test_what_the_sink_refuses_is_offered_again_in_sum() -> None:
    """One batch with everything, once the sink takes it."""
    refusing, taken = [True], []

    def sink(offered: CountBatch) -> None:
        if refusing[0]:
            raise SourceUnavailable("away")
        taken.append(offered)

    handover = Handover(sink, (0.01, 0.05))
    thread = threading.Thread(target=handover.run)
    thread.start()
    for count in (1, 2, 3):
        handover.put(batch(count))
    refusing[0] = False
    eventually(lambda: sum(one.verdicts[0].count for one in taken) == 6)
    handover.put(CountBatch())
    handover.put(batch(4))
    handover.end()
    thread.join(5)
    assert not thread.is_alive()
    assert sum(one.verdicts[0].count for one in taken) == 10
    assert all(taken)


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

    with capture_logs() as logs:
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
    with capture_logs():
        assert faults.internal(b"short", ValueError()) is None
        assert faults.internal(bytes((0, 0, 0x80, *bytes(9))), ValueError()) is None
