"""DNS over UDP: three ways to take datagrams from a socket and send the answers.

`serve` gives the callable for the loop to call when a socket has something.  It takes a bounded
number and returns, so that TCP and changes get their turn.

- In batches, where the system can: the hot path.
- One by one, where it cannot.
- On a wildcard address one by one with ancillary data, so that each answer is sent from the address
  that was asked.

A socket that cannot be read may well stay ready; a millisecond's sleep each time keeps the loop
from taking up a whole processor with that.
"""

import socket
import time
from collections.abc import Callable

from mailmum.daemons import dnsd_batch
from mailmum.daemons.dnsd_faults import FaultLog
from mailmum.daemons.dnsd_sockets import packet_info
from mailmum.dns.engine import Engine

_AT_ONCE = 64
_ANCILLARY = 128
_REST = 0.001

Drain = Callable[[int], None]


def serve(udp: socket.socket, engine: Engine, faults: FaultLog, *, wildcard: bool) -> Drain:
    """What to do when a UDP socket that does not block has something.

    Args:
        udp: the socket.
        engine: gives the answers.
        faults: records what goes wrong with us.
        wildcard: whether the socket is bound to all addresses, and tells which was asked.
    """
    if wildcard:
        return _with_addresses(udp, engine, faults)
    if dnsd_batch.AVAILABLE:
        return _in_batches(udp, engine, faults)
    return _one_by_one(udp, engine, faults)


def _in_batches(udp: socket.socket, engine: Engine, faults: FaultLog) -> Drain:
    batch = dnsd_batch.Batch(udp)
    handle, count_fault, clock = engine.handle, engine.counters.fault, time.time
    slots, clients, room = batch.slots, batch.clients, dnsd_batch.ROOM
    received, answers = batch.received, batch.answers
    received_lengths, answer_lengths = batch.received_lengths, batch.answer_lengths

    def send(start: int, end: int) -> None:
        failed = batch.send(start, end) if start < end else 0
        if failed:
            count_fault("unsent", failed)

    def drain(_events: int) -> None:
        try:
            count = batch.receive()
        except OSError as error:
            _count_unread(engine, error)
            return
        now, start = clock(), 0
        for slot, base, received_at, answer_at in slots[:count]:
            packet = received[base : base + received_lengths[received_at]].tobytes()
            try:
                answer = handle(packet, clients[slot], now, False)
            # The last resort: one packet that shows a fault of ours must not end the service.
            except Exception as error:  # noqa: BLE001
                answer = faults.internal(packet, error)
            if answer is None or len(answer) > room:
                # Nothing to send from here: what came before it goes first.
                send(start, slot)
                start = slot + 1
                continue
            length = answer_lengths[answer_at] = len(answer)
            answers[base : base + length] = answer
        send(start, count)

    return drain


def _one_by_one(udp: socket.socket, engine: Engine, faults: FaultLog) -> Drain:
    def drain(_events: int) -> None:
        now = time.time()
        for _ in range(_AT_ONCE):
            try:
                packet, client = udp.recvfrom(dnsd_batch.ROOM)
            except OSError as error:
                _count_unread(engine, error)
                return
            answer = answer_safely(engine, faults, packet, client, now, tcp=False)
            if answer is not None:
                try:
                    udp.sendto(answer, client)
                except OSError:
                    engine.counters.fault("unsent")

    return drain


def _with_addresses(udp: socket.socket, engine: Engine, faults: FaultLog) -> Drain:
    def drain(_events: int) -> None:
        now = time.time()
        for _ in range(_AT_ONCE):
            try:
                packet, ancillary, _, client = udp.recvmsg(dnsd_batch.ROOM, _ANCILLARY)
            except OSError as error:
                _count_unread(engine, error)
                return
            answer = answer_safely(engine, faults, packet, client, now, tcp=False)
            if answer is not None:
                try:
                    udp.sendmsg([answer], packet_info(udp.family, ancillary), 0, client)
                except OSError:
                    engine.counters.fault("unsent")

    return drain


def answer_safely(
    engine: Engine,
    faults: FaultLog,
    packet: bytes,
    client: tuple[object, ...],
    now: float,
    *,
    tcp: bool,
) -> bytes | None:
    """The engine's answer; SERVFAIL and a line in the log where a packet shows a fault of ours."""
    try:
        return engine.handle(packet, client, now, tcp)
    # The last resort, as in `_in_batches`.
    except Exception as error:  # noqa: BLE001
        return faults.internal(packet, error)


def _count_unread(engine: Engine, error: OSError) -> None:
    if not isinstance(error, BlockingIOError):
        engine.counters.fault("unread")
        time.sleep(_REST)
