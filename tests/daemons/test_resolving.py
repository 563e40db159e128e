"""What a resolver says, and what it does not say, is told plainly."""

import socket
import threading

import pytest

from mailmum.daemons import resolving
from mailmum.daemons.resolving import ask
from tests.support.ports import free_port
from tests.support.postfix_dns import Zone, name_server

ZONE = "rbl.example"


def test_answers_of_all_kinds() -> None:
    """Addresses with their TTL, none, and SERVFAIL; each name once."""
    zone = Zone(ZONE)
    zone.list_address("203.0.113.7", "127.0.0.4")
    gone = ("127.0.0.1", free_port("both"))
    with name_server(zone, forwards={"gone.example": gone}) as dns:
        names = [
            f"7.113.0.203.{ZONE}",
            f"113.0.203.{ZONE}",
            f"8.113.0.203.{ZONE}",
            "x.gone.example",
        ]
        found = ask([*names, names[0]], f"{dns.address}:53")
        assert sum(one.startswith("7.113.0.203.") for one in dns.asked) == 1
    listed, above, unlisted, failed = (found[name] for name in names)
    assert (listed.addresses, listed.ttl, listed.fault) == (("127.0.0.4",), 60, "")
    assert above == unlisted
    assert (unlisted.addresses, unlisted.fault) == ((), "")
    assert "SERVFAIL" in failed.fault


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is waited for for so long and no longer."""
    monkeypatch.setattr(resolving, "TIMEOUT", 0.2)
    with name_server(Zone(ZONE, silent=True)) as dns:
        found = ask([f"{number}.{ZONE}" for number in range(3)], f"{dns.address}:53")
    assert {one.fault for one in found.values()} == {"no answer in time"}


def test_nobody_waits_for_it_who_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks are daemon threads: the process may end while a dead list is waited for."""
    monkeypatch.setattr(resolving, "TIMEOUT", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        names = [f"{number}.{ZONE}" for number in range(2)]
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        before = set(threading.enumerate())
        asking = threading.Thread(target=ask, args=(names, place), daemon=True)
        asking.start()
        silent.recvfrom(512)
        made = set(threading.enumerate()) - before - {asking}
        assert made
        assert all(one.daemon for one in made)
        asking.join()


def test_nobody_and_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No resolver there is a fault of the name; no names are no questions."""
    monkeypatch.setattr(resolving, "TIMEOUT", 0.2)
    assert ask([]) == {}
    [reply] = ask(["a.example"], f"127.0.0.1:{free_port('both')}").values()
    assert reply.fault
