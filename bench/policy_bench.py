"""The policy service: requests a second on one core and their latency; from a change to a reject.

    .venv/bin/python -m bench.policy_bench                    policyd with a million listings
    .venv/bin/python -m bench.policy_bench --end-to-end       API call to reject, by a real Postfix

The first keeps policyd on one core and asks over 20 connections, as smtpd processes do: as many
requests as it takes, and then so many a second (5,000), each at its time whether or not others
have been answered, so that waiting is part of the latency.  Where others work on the machine too,
requests for each second of processor time say more.  The second starts a whole service and a
Postfix that asks it; each round blocks another address by an API call and sends RCPT again and
again over a session that is open already, until it is rejected.
"""

import argparse
import os
import platform
import random
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from bench.dns_bench import free_port, processor_time
from bench.dns_data import FIRST, LAST, SIZES, FixedSource, key_of
from mailmum.daemons import policyd
from mailmum.daemons.counts import Parcel
from mailmum.daemons.policyd_options import PolicydOptions

CONNECTIONS = 20
REQUEST = """\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address={address}
client_name=unknown
client_port=40000
reverse_client_name=unknown
server_address=192.0.2.25
server_port=25
helo_name=mail.visitor.example
sender=someone@sender.example
recipient=owner@example.net
recipient_count=0
queue_id=
instance={number}.1
size=0
etrn_domain=
stress=
sasl_method=
sasl_username=
sasl_sender=
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=
encryption_cipher=
encryption_keysize=0
policy_context={key}

"""


def serve(port: int) -> None:
    """Be policyd with a million listings."""
    counted = [0]

    def sink(parcel: Parcel) -> None:
        counted[0] += sum(parcel.taken.batch.counts.values())

    def ready() -> None:
        print("ready", flush=True)

    options = PolicydOptions("127.0.0.1", port, "https://mx.example.net")
    policyd.run(options, lambda: FixedSource(SIZES["one"]), sink, ready=ready)
    print("counted", *counted, flush=True)


def requests(count: int) -> list[bytes]:
    """Of other clients each."""
    chance = random.Random(1)
    made = []
    for number in range(count):
        value = chance.randrange(FIRST, LAST)
        address = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
        text = REQUEST.format(address=address, number=number, key=key_of(0))
        made.append(text.encode())
    return made


class Connection:
    """One connection: when each request that is on its way was due."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.due: deque[float] = deque()

    def ask(self, request: bytes, due: float) -> None:
        """Send a request."""
        self.socket.send(request)
        self.due.append(due)

    def read(self) -> list[float]:
        """How long the answers took that have come."""
        try:
            count = self.socket.recv(65536).count(b"\n\n")
        except BlockingIOError:
            return []
        now = time.perf_counter()
        return [now - self.due.popleft() for _ in range(count)]


def as_many_as_it_takes(connections: list[Connection], asked: list[bytes], seconds: float) -> float:
    """Requests a second with one always on its way on each connection."""
    selector = selectors.DefaultSelector()
    for one in connections:
        selector.register(one.socket, selectors.EVENT_READ, one)
    answered, at, began = 0, 0, time.perf_counter()
    for one in connections:
        one.ask(asked[0], began)
    while (now := time.perf_counter()) < began + seconds:
        for key, _ in selector.select(0.1):
            answered += len(key.data.read())
            at += 1
            key.data.ask(asked[at % len(asked)], now)
    passed = time.perf_counter() - began
    while any(one.due for one in connections):
        for one in connections:
            one.read()
    return answered / passed


def at_a_rate(
    connections: list[Connection], asked: list[bytes], rate: int, seconds: float
) -> list[float]:
    """Latencies of requests that each come at their time."""
    latencies: list[float] = []
    began, sent, total = time.perf_counter(), 0, int(rate * seconds)
    while len(latencies) < total:
        due = min(int((time.perf_counter() - began) * rate), total)
        while sent < due:
            one = connections[sent % len(connections)]
            one.ask(asked[sent % len(asked)], began + sent / rate)
            sent += 1
        for one in connections:
            if one.due:
                latencies += one.read()
    return sorted(latencies)


def measure(options: argparse.Namespace) -> None:
    """Run policyd on one core, and ask it."""
    port, cores = free_port(), sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "bench.policy_bench", "--serve", "--port", str(port)]
    child = subprocess.Popen(
        ["taskset", "-c", str(cores[0]), *command], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    while child.stdout.readline().strip() != "ready":
        pass
    os.sched_setaffinity(0, {cores[-1]})
    asked = requests(50_000)
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    rates, tails, middles, costs = [], [], [], []
    for number in range(options.rounds):
        before = processor_time(child.pid)
        rates.append(as_many_as_it_takes(connections, asked, options.seconds))
        used = processor_time(child.pid) - before
        costs.append(rates[-1] * options.seconds / used)
        found = at_a_rate(connections, asked, options.rate, options.seconds)
        middles.append(found[len(found) // 2] * 1000)
        tails.append(found[len(found) * 99 // 100] * 1000)
        print(
            f"round {number + 1}: {rates[-1]:,.0f} requests a second; at {options.rate:,} a second "
            f"p50 {middles[-1]:.2f} ms, p99 {tails[-1]:.2f} ms, worst {found[-1] * 1000:.1f} ms",
            flush=True,
        )
    child.send_signal(signal.SIGTERM)
    child.wait()
    print(
        f"\nmedians of {options.rounds} rounds of {options.seconds} s: "
        f"{statistics.median(rates):,.0f} requests a second, {statistics.median(costs):,.0f} a "
        f"second of processor time; at {options.rate:,} a second "
        f"p50 {statistics.median(middles):.2f} ms, p99 {statistics.median(tails):.2f} ms "
        f"(best {min(tails):.2f}); {CONNECTIONS} connections, a million addresses and 20,000 "
        f"networks, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def end_to_end(rounds: int) -> None:
    """Time from the begin of an API call to the reject of a client that is connected already."""
    from mailmum.cli.client import Client
    from mailmum.cli.locate import find_service
    from tests.e2e.test_policy import check, settings
    from tests.support.postfix import HOST, postfix
    from tests.support.service import service
    from tests.support.smtp import RECIPIENT, SENDER, Visitor, session

    calls, rejects = [], []
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as made:
        made.json("server", "add", "mx1")
        client = Client(find_service(made.data, {}, made.data))
        with postfix("127.0.0.1", settings(check(made, "mx1"))) as server:
            for number in range(rounds):
                visitor = Visitor(f"203.0.113.{number + 1}")
                with session(HOST, server.port) as smtp:
                    smtp.read()
                    for line in (f"EHLO {visitor.helo}", f"XCLIENT {visitor.attributes}"):
                        smtp.say(line)
                    smtp.say(f"EHLO {visitor.helo}")
                    smtp.say(f"MAIL FROM:<{SENDER}>")
                    assert smtp.say(f"RCPT TO:<{RECIPIENT}>").code == 250
                    began = time.perf_counter()
                    body = {"action": "block", "targets": [visitor.address]}
                    client.send("POST", "/listings", body)
                    calls.append((time.perf_counter() - began) * 1000)
                    while smtp.say(f"RCPT TO:<{RECIPIENT}>").code != 554:
                        continue
                    rejects.append((time.perf_counter() - began) * 1000)
    told = ", ".join(f"{one:.0f}" for one in rejects)
    print(
        f"{rounds} changes, from API call to reject: {told} ms; median "
        f"{statistics.median(rejects):.0f} ms, of it the call {statistics.median(calls):.0f} ms; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Parse arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--end-to-end", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.port)
    elif options.end_to_end:
        end_to_end(options.rounds)
    else:
        measure(options)


if __name__ == "__main__":
    main()
