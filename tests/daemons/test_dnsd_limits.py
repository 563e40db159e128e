"""Limits on answers in the daemon: floods over UDP, and resolvers that come back over TCP."""

import socket
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import pytest

from mailmum.dns.limits import Limits
from mailmum.dns.zones import ZoneConfig
from tests.daemons.dnsd_kit import BASE, BL, Database, Served, reverse, serving
from tests.daemons.test_dnsd_unbound import CONFIG, resolve
from tests.support.postfix_dns import PORT
from tests.support.unbound import unbound
from tests.support.waiting import eventually

ENGINES = ["compiled", "python"]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked network."""
    database = Database(tmp_path)
    database.block("198.51.100.0/24")
    return database


def faults(served: Served) -> dict[str, int]:
    """What went another way than usual, so far."""
    found: dict[str, int] = {}
    for batch in served.sink.batches:
        for kind, count in batch.faults:
            found[kind] = found.get(kind, 0) + count
    return found


def counted(served: Served) -> int:
    """How many verdicts, so far."""
    return sum(one.count for batch in served.sink.batches for one in batch.verdicts)


def flood(served: Served, count: int) -> Iterator[dns.message.Message]:
    """What comes back to so many questions, once all of them have been counted in some way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((served.host, served.port))
        for at in range(count):
            name = f"{reverse(f'198.51.100.{at % 250}')}.{BL}"
            sock.send(dns.message.make_query(name, "A").to_wire())
        eventually(lambda: counted(served) + sum(faults(served).values()) == count)
        for _ in range(counted(served) + faults(served)["slipped"]):
            yield dns.message.from_wire(sock.recv(512))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flood_gets_little(database: Database, engine: str) -> None:
    """Some answers, some cut off; all is counted; whoever comes over TCP is not limited."""
    with serving(database, engine=engine, limits=Limits(rate=5, slip=4)) as served:
        answers = list(flood(served, 200))
        whole = [one for one in answers if one.answer]
        cut = [one for one in answers if one.flags & dns.flags.TC]
        # As many as go into two seconds, and what the time that it took has let through.
        assert 11 <= len(whole) == counted(served) < 200
        assert len(whole) + len(cut) == len(answers)
        assert faults(served)["slipped"] == len(cut) >= 1
        assert faults(served)["limited"] > 0
        assert served.ask(f"{reverse('198.51.100.1')}.{BL}", tcp=True).answer
        for _ in range(30):
            assert served.codes("198.51.100.7") == ["127.0.0.3"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_resolver_notices_nothing(database: Database, engine: str, tmp_path: Path) -> None:
    """One without cookies, behind the strictest limit: all of its questions are answered."""
    zone = ZoneConfig(BASE)
    with serving(database, engine=engine, zone=zone, limits=Limits(rate=1, slip=1)) as served:
        config = CONFIG.format(base=BASE, kind="stub", port=served.port)
        with unbound(config) as address:
            for at in range(1, 40):
                name = f"{reverse(f'198.51.100.{at}')}.{BL}"
                assert resolve(address, PORT, name) == ("NOERROR", ["127.0.0.3"])
        eventually(lambda: faults(served).get("slipped", 0) > 0)
        assert "limited" not in faults(served)


@pytest.mark.parametrize("engine", ENGINES)
def test_spared_networks(database: Database, engine: str) -> None:
    """Loopback, by default."""
    limits = Limits(1, 1, ((4, 0x7F000000, 0x7FFFFFFF),))
    with serving(database, engine=engine, limits=limits) as served:
        for _ in range(30):
            assert served.codes("198.51.100.7") == ["127.0.0.3"]
