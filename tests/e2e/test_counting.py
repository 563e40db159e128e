"""Counts the whole way: asked over DNS and the policy service, read at /metrics."""

import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import urllib3
from dns.exception import DNSException
from prometheus_client.parser import text_string_to_metric_families

from tests.daemons.policyd_kit import request
from tests.e2e.test_up import pid_of
from tests.support.service import Service, make_service, service


def numbers(made: Service) -> dict[tuple[str, ...], float]:
    """What a monitoring system reads: name and values of labels, in the order of their names."""
    answer = urllib3.request("GET", f"{made.url}/metrics", retries=False, timeout=30)
    assert answer.status == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.data.decode())
        for sample in family.samples
    }


def ask(made: Service, zones: dict[str, str], *clients: int) -> None:
    """Look clients up as smtpd does: allowed ones are not asked about in the block list."""
    for last in clients:
        labels = f"{last}.113.0.203"
        if not made.lookup(f"{labels}.{zones['wl']}"):
            made.lookup(f"{labels}.{zones['bl']}")


def counts(made: Service) -> dict[str, float]:
    """Contacts over DNS, by outcome."""
    found, words = numbers(made), ("listed", "allowed", "unlisted")
    return {word: found.get(("mailmum_sightings_total", word, "dns"), 0) for word in words}


def settled(made: Service) -> dict[str, float]:
    """The same when all that was asked has been stored, which is about once a second."""
    while True:
        found = counts(made)
        time.sleep(2.5)
        if counts(made) == found:
            return found


@contextlib.contextmanager
def locked(made: Service) -> Iterator[None]:
    """The database of traffic, held by somebody else."""
    if url := made.environment.get("MAILMUM_DATABASE"):
        with psycopg.connect(url) as holder:
            holder.execute("LOCK TABLE traffic_tally IN ACCESS EXCLUSIVE MODE")
            yield
    else:
        holder_ = sqlite3.connect(made.data / "traffic.sqlite3", isolation_level=None)
        with contextlib.closing(holder_):
            holder_.execute("BEGIN IMMEDIATE")
            yield


def test_every_contact_is_counted_once(tmp_path: Path) -> None:
    """Over DNS and the policy service, also over the death of a part; counters only grow."""
    with service(tmp_path) as made:
        server = made.json("server", "add", "mx1")
        zones = server["zones"]
        made.run("block", "203.0.113.7")
        made.run("allow", "203.0.113.8")
        made.eventually(lambda: made.lookup(f"8.113.0.203.{zones['wl']}") == ["127.0.0.2"])
        # Now its habits are known: it asks both lists.
        ask(made, zones, 50)
        before = settled(made)
        ask(made, zones, *[7] * 5, *[8] * 3, *range(20, 30))
        expected = {"listed": 5, "allowed": 3, "unlisted": 10}
        made.eventually(lambda: counts(made) == {w: before[w] + n for w, n in expected.items()})
        queries = numbers(made)["mailmum_dns_queries_total", "bl", "block"]
        host, port = made.policy.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 5) as client:
            for recipient in ("a@here.example", "a@here.example", "b@here.example"):
                client.sendall(request(key=server["key"], instance="1", recipient=recipient))
                assert client.recv(4096).startswith(b"action=REJECT")
        listed = ("mailmum_sightings_total", "listed", "policy")
        made.eventually(lambda: numbers(made).get(listed) == 2)
        assert made.child is not None
        os.kill(pid_of(made.child.output, "dns"), signal.SIGKILL)
        made.eventually(lambda: _asks(made, zones))
        made.eventually(lambda: counts(made)["listed"] > before["listed"] + 5)
        # Sightings and counts are kept one after the other.
        again = ("mailmum_dns_queries_total", "bl", "block")
        made.eventually(lambda: numbers(made)[again] > queries)
        found = numbers(made)
        assert found[again] == queries + 1
        assert found["mailmum_policy_requests_total", "block"] == 2
        assert found["mailmum_listings", "block"] == 1
        assert all(
            value == 0 for (name, *_), value in found.items() if name == "mailmum_lost_total"
        )
        parts = {labels[1] for (name, *labels) in found if name == "mailmum_index_position"}
        assert parts == {"dns", "policy"}


def _asks(made: Service, zones: dict[str, str]) -> bool:
    try:
        ask(made, zones, 7)
    except (OSError, DNSException):
        return False
    return True


def test_while_the_database_is_locked_answers_go_on(tmp_path: Path) -> None:
    """And every one of them has been counted when it is free again."""
    with make_service(tmp_path).up() as made:
        zones = made.json("server", "add", "mx1")["zones"]
        made.run("block", "203.0.113.7")
        made.eventually(lambda: made.lookup(f"7.113.0.203.{zones['bl']}") == ["127.0.0.2"])
        ask(made, zones, 7)
        before = settled(made)["listed"]
        with locked(made):
            for _ in range(6):
                ask(made, zones, *[7] * 50)
                time.sleep(0.4)
        made.eventually(lambda: counts(made)["listed"] == before + 300)
        assert numbers(made)["mailmum_lost_total", "verdicts"] == 0
