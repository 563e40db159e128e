"""A real Postfix, a real unbound between it and the zones, set up by what is printed."""

import contextlib
import os
from pathlib import Path

import pytest

from mailmum.postfix.setup import Current, Options, plan
from tests.postfix.samples import BASE, ZONES
from tests.support.postfix import postfix
from tests.support.postfix_dns import Zone, name_server
from tests.support.smtp import Visitor
from tests.support.unbound import unbound

pytestmark = pytest.mark.once

BLOCKED = Visitor("203.0.113.7")


def recipe(address: str) -> tuple[str, ...]:
    """The lines for unbound that the setup prints, for a service at port 53 of this address."""
    options = Options(dns_host=address, dns_port=53)
    made = plan(ZONES, Current(explicit={}, defaults={}), options)
    (lines,) = (r.lines for r in made.resolvers if r.resolver.startswith("unbound"))
    return lines


@pytest.mark.parametrize("guarded", [False, True])
def test_unbound_reaches_the_zones_by_its_recipe(guarded: bool) -> None:
    """Though it validates; also where answers in private space are dropped."""
    zone = Zone(ZONES.bl, reason="Sends spam")
    zone.list_address(BLOCKED.address)
    zone.list_address("2001:db8::7")
    more = ("server:", "    private-address: 127.0.0.0/8") if guarded else ()
    with (
        name_server(zone, *(Zone(z) for z in (ZONES.wl, ZONES.dbl, ZONES.dwl))) as dns,
        unbound(*recipe(dns.address), *more) as resolver,
        postfix(resolver) as server,
    ):
        current = Current(explicit={}, defaults={})
        server.run(plan(ZONES, current, Options(config_dir=str(server.config))).lines)
        reply = server.deliver(BLOCKED)
        assert (reply.code, "Sends spam" in reply.text) == (554, True)
        assert f"blocked using bl.{BASE}" in reply.text
        assert server.deliver(Visitor("2001:db8::7")).code == 554
        assert server.deliver(Visitor("203.0.113.8")).code == 250


@pytest.mark.parametrize("line", ["domain-insecure", "do-not-query-localhost", "private-domain"])
def test_each_line_of_the_recipe_is_needed(line: str) -> None:
    """Without it the same client is not blocked: the lookup fails, or its answer is dropped."""
    zone = Zone(ZONES.bl)
    zone.list_address(BLOCKED.address)
    with name_server(zone) as dns:
        lines = [text for text in recipe(dns.address) if line not in text]
        guard = ("server:", "    private-address: 127.0.0.0/8")
        with unbound(*lines, *guard) as resolver, postfix(resolver) as server:
            current = Current(explicit={}, defaults={})
            server.run(plan(ZONES, current, Options(config_dir=str(server.config))).lines)
            assert server.deliver(BLOCKED).code == 250


def test_only_root_can_and_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No skip, no odd error further down: a message with a way out."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    wanted = pytest.raises(RuntimeError, match=r"started by root.*run the Postfix tests as root")
    with wanted, postfix("127.0.0.1"):
        pass


def test_nothing_is_left_behind() -> None:
    """The folder and every process are gone at the end, resolv.conf is as it was."""
    before = Path("/etc/resolv.conf").read_bytes()
    with postfix("127.0.0.1") as server:
        folder = server.folder
        assert server.deliver(BLOCKED).code == 250
        assert len(processes_in(folder)) > 2
    assert not folder.exists()
    assert processes_in(folder) == []
    assert Path("/etc/resolv.conf").read_bytes() == before


def processes_in(folder: Path) -> list[str]:
    """Processes that work in a folder, also when it has been removed."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append(entry.name)
    return found
