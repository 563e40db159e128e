"""`doctor`: each finding for each trouble, and the exit status."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from mailmum.cli import doctor_dns, doctor_postfix
from mailmum.cli.doctor_findings import Finding
from mailmum.cli.postfix_here import read_postfix
from mailmum.postfix.setup import Options, ServerZones, plan, render
from tests.cli.postconf import apply, make_postfix
from tests.cli.service import Service, answer, error
from tests.cli.shapes import BASE, KEY, me, server, zones
from tests.support.ports import free_port

ZONE = zones()["bl"]
LISTED = f"2.0.0.127.{ZONE}."
UNLISTED = f"1.0.0.127.{ZONE}."


@dataclass
class Names:
    """A DNS server over UDP and TCP; `found` are addresses by name, all else is NXDOMAIN."""

    port: int
    found: dict[str, str] = field(default_factory=lambda: {LISTED: "127.0.0.2"})
    garbage: bool = False

    def respond(self, packet: bytes) -> bytes:
        """The answer to a query."""
        if self.garbage:
            return b"\x00" * 7
        query = dns.message.from_wire(packet)
        response = dns.message.make_response(query)
        name = str(query.question[0].name)
        if name in self.found:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", self.found[name]))
        elif name == f"{BASE}.":
            soa = "ns.mailmum.internal. hostmaster.mailmum.internal. 1 60 60 60 60"
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "SOA", soa))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@contextmanager
def answering(*, tcp: bool = True) -> Iterator[Names]:
    """A DNS server for the length of a `with` block."""
    names = Names(free_port("both"))
    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as stream:
        for each in (udp, stream):
            each.settimeout(0.05)
            each.bind(("127.0.0.1", names.port))
        if tcp:
            stream.listen()
        threads = [threading.Thread(target=_datagrams, args=(udp, names, done))]
        threads += [threading.Thread(target=_streams, args=(stream, names, done))] if tcp else []
        for thread in threads:
            thread.start()
        yield names
        done.set()
        for thread in threads:
            thread.join()


def _datagrams(server_socket: socket.socket, names: Names, done: threading.Event) -> None:
    while not done.is_set():
        try:
            packet, client = server_socket.recvfrom(4096)
        except TimeoutError:
            continue
        server_socket.sendto(names.respond(packet), client)


def _streams(server_socket: socket.socket, names: Names, done: threading.Event) -> None:
    while not done.is_set():
        try:
            connection, _ = server_socket.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(2)
            length = int.from_bytes(connection.recv(2), "big")
            response = names.respond(connection.recv(length))
            connection.sendall(len(response).to_bytes(2, "big") + response)


def states(findings: list[Finding]) -> list[tuple[str, str]]:
    """Names and states."""
    return [(finding.name, finding.state) for finding in findings]


def direct(port: int, zone: str = ZONE) -> list[Finding]:
    """What asking the service itself finds."""
    return list(doctor_dns.direct(f"127.0.0.1:{port}", "127.0.0.1", port, zone))


def test_dns_that_answers_is_well_over_udp_and_tcp() -> None:
    """Two findings, both ok; without a server the base is asked about."""
    with answering() as names:
        for zone in (ZONE, BASE):
            found = direct(names.port, zone)
            assert states(found) == [(f"DNS 127.0.0.1:{names.port}", "ok")] * 2
            assert [one.message.split(":")[0] for one in found] == ["UDP", "TCP"]


def test_tcp_that_nobody_serves_is_a_failure() -> None:
    """A firewall that lets only UDP through is a usual mistake."""
    with answering(tcp=False) as names:
        found = direct(names.port)
    assert [one.state for one in found] == ["ok", "fail"]
    assert "refused" in found[1].message
    assert found[1].fix


def test_another_program_on_the_port_is_a_failure() -> None:
    """Its answers are not ours, and the finding does not show the key."""
    with answering() as names:
        names.found = {}
        found = direct(names.port)
        names.found = {LISTED: "192.0.2.1"}
        found += direct(names.port)
    assert {one.state for one in found} == {"fail"}
    assert "NXDOMAIN" in found[0].message
    assert "192.0.2.1" in found[2].message
    assert not any(KEY in one.message for one in found)


@pytest.mark.parametrize("silent", [False, True])
def test_no_answer_and_no_dns_are_failures(
    monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    """Neither ends the examination."""
    monkeypatch.setattr(doctor_dns, "_TIMEOUT", 0.2)
    with answering() as names:
        names.garbage = True
        port = free_port("both") if silent else names.port
        assert [one.state for one in direct(port)] == ["fail", "fail"]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """The resolver of this machine."""
    with answering() as names:
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], names.port
        monkeypatch.setattr(dns.resolver, "Resolver", lambda: made)
        monkeypatch.setattr(doctor_dns, "_CHROOT", Path("/nonexistent"))
        monkeypatch.setattr(doctor_dns, "_TIMEOUT", 0.5)
        yield names


def through(*, postfix_here: bool = True) -> list[Finding]:
    """What asking the resolver finds."""
    return list(doctor_dns.through_resolver(ZONE, BASE, postfix_here=postfix_here))


def test_a_resolver_that_reaches_the_zone_is_well(resolver: Names) -> None:
    """The test entry is listed, its counterpart is not."""
    assert states(through()) == [("resolver", "ok")]
    assert resolver.found


@pytest.mark.parametrize(("postfix_here", "state"), [(True, "fail"), (False, "warn")])
def test_a_resolver_that_does_not_reach_the_zone(
    resolver: Names, *, postfix_here: bool, state: str
) -> None:
    """A failure where a Postfix depends on it; how to mend it is told."""
    resolver.found = {}
    [found] = through(postfix_here=postfix_here)
    assert found.state == state
    assert "NXDOMAIN" in found.message
    assert "mailmum postfix setup" in found.fix


def test_a_resolver_that_answers_everything_is_a_failure(resolver: Names) -> None:
    """With such a resolver every mail would be rejected."""
    resolver.found = {LISTED: "127.0.0.2", UNLISTED: "127.0.0.2"}
    [found] = through(postfix_here=False)
    assert found.state == "fail"
    assert "not listed" in found.message


def test_a_resolver_that_is_silent(resolver: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes its time, and is told."""
    resolver.garbage = True
    monkeypatch.setattr(doctor_dns, "_TIMEOUT", 0.2)
    assert "no answer in time" in through()[0].message


def test_a_machine_without_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolv.conf that names none."""

    def none() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "Resolver", none)
    assert states(through()) == [("resolver", "fail")]


def test_postfix_reads_its_own_copy_of_resolv_conf(
    resolver: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was not renewed is a warning."""
    system, copy = tmp_path / "system", tmp_path / "copy"
    system.write_text("search example.net\nnameserver 127.0.0.1\n")
    copy.write_text("nameserver 192.0.2.53\n")
    monkeypatch.setattr(doctor_dns, "_SYSTEM", system)
    monkeypatch.setattr(doctor_dns, "_CHROOT", copy)
    assert states(through()) == [("resolver", "ok"), ("resolver", "warn")]
    copy.write_text("# the same\nnameserver 127.0.0.1\n")
    assert states(through()) == [("resolver", "ok")]
    assert resolver.found


def set_up(folder: Path, *, key: str = KEY, trial: bool = False) -> None:
    """Run the lines of `postfix setup`."""
    known = ServerZones(name="mx1", base=BASE, **zones(key))
    options = Options(trial=trial, config_dir=str(folder))
    apply(render(plan(known, read_postfix(str(folder)), options)))


def examine(folder: Path, *servers: dict[str, Any]) -> list[Finding]:
    """What reading that Postfix finds."""
    known = servers or (server(),)
    return list(doctor_postfix.examine(read_postfix(str(folder)), known, BASE, str(folder)))


@pytest.fixture
def postfix(tmp_path: Path) -> Path:
    """A Postfix configuration."""
    return make_postfix(tmp_path / "postfix")


def test_a_postfix_that_was_set_up_is_well(postfix: Path) -> None:
    """Its restrictions and its replies."""
    set_up(postfix)
    assert states(examine(postfix)) == [("Postfix", "ok"), ("Postfix", "ok")]


def test_a_postfix_that_was_not_set_up(postfix: Path) -> None:
    """A warning: perhaps it is another machine's turn. With one server the command is complete."""
    [found] = examine(postfix)
    assert found.state == "warn"
    assert found.fix.endswith("mailmum postfix setup --server mx1")
    assert examine(postfix, server(), server("mx2", key="k2k2k2k2k2k2"))[0].fix.endswith("NAME")


def test_a_postfix_on_trial(postfix: Path) -> None:
    """Nothing is rejected: not to be forgotten."""
    set_up(postfix, trial=True)
    found = examine(postfix)
    assert states(found) == [("Postfix", "warn"), ("Postfix", "ok")]
    assert found[0].fix.endswith("without --trial")


def test_a_postfix_with_an_old_key(postfix: Path) -> None:
    """Soon it is not answered any more."""
    old_key = "m0m0m0m0m0m0"
    set_up(postfix, key=old_key)
    old = {"key": old_key, "until": "2026-11-29T10:00:00Z", "revoked": False}
    [found] = examine(postfix, server(old_keys=[old]))
    assert found.state == "fail"
    assert "rotated out" in found.message


def test_a_setup_that_lost_a_part(postfix: Path) -> None:
    """The parameter that differs is named."""
    set_up(postfix)
    main = postfix / "main.cf"
    lines = main.read_text().splitlines(keepends=True)
    main.write_text("".join(line for line in lines if not line.startswith("rbl_reply_maps")))
    found = examine(postfix)
    assert found[0].state == "fail"
    assert "rbl_reply_maps" in found[0].message


@pytest.mark.parametrize("content", [None, "", "# another\n"])
def test_replies_that_may_show_the_key(postfix: Path, content: str | None) -> None:
    """The table that hides it is gone, or for another key."""
    set_up(postfix)
    table = postfix / "mailmum_rbl_reply"
    if content is None:
        table.unlink()
    else:
        table.write_text(content)
    found = examine(postfix)
    assert states(found) == [("Postfix", "ok"), ("Postfix", "fail")]
    assert "zone key" in found[1].message or "present key" in found[1].message


@pytest.fixture
def whole(service: Service, resolver: Names, postfix: Path) -> Service:
    """A service, a resolver and a Postfix that are all well."""
    set_up(postfix)
    service.on("GET", "/api/v1/me", answer(me(dns=[f"127.0.0.1:{resolver.port}"])))
    service.on("GET", "/api/v1/servers", answer({"servers": [server()]}))
    service.on("GET", "/api/v1/doctor", answer({"checks": []}))
    return service


def checks(service: Service, postfix: Path, *words: str, status: int = 0) -> dict[str, str]:
    """The states by name, of the last finding of each name."""
    result = service.run("doctor", "--config-dir", str(postfix), "--json", *words)
    assert result.exit_code == status, result.output
    return {one["name"]: one["state"] for one in json.loads(result.stdout)["checks"]}


def test_all_is_well(whole: Service, postfix: Path) -> None:
    """Exit status 0."""
    found = checks(whole, postfix)
    assert set(found.values()) == {"ok"}
    assert {"service", "token", "resolver", "Postfix"} <= set(found)


def test_the_findings_of_the_service_are_part_of_it(whole: Service, postfix: Path) -> None:
    """A failure there is exit status 1; a warning is not; texts are shown escaped."""
    check = {"name": "server mx1", "state": "warn", "message": "odd \x1b[2J", "fix": "look"}
    whole.on("GET", "/api/v1/doctor", answer({"checks": [check]}))
    assert checks(whole, postfix)["server mx1"] == "warn"
    shown = whole.run("doctor", "--config-dir", str(postfix)).stdout
    assert "warn server mx1: odd \\x1b[2J\n       fix: look\n" in shown
    whole.on("GET", "/api/v1/doctor", answer({"checks": [{**check, "state": "fail"}]}))
    checks(whole, postfix, status=1)


def test_one_server_only(whole: Service, postfix: Path) -> None:
    """The service is asked about that one."""
    whole.on("GET", "/api/v1/servers/mx1", answer(server()))
    checks(whole, postfix, "--server", "mx1")
    assert whole.asked[-1].query == {"server": "mx1"}


def test_an_unknown_server_is_a_failure_of_the_call(whole: Service, postfix: Path) -> None:
    """Not a finding."""
    missing = error("not-found", "there is no server mx9", "add it", status=404)
    whole.on("GET", "/api/v1/servers/mx9", missing)
    result = whole.run("doctor", "--server", "mx9", "--config-dir", str(postfix))
    assert (result.exit_code, result.stderr) == (1, "mailmum: there is no server mx9; add it\n")


def test_a_service_that_does_not_answer_is_the_one_finding(whole: Service) -> None:
    """Everything else depends on it."""
    result = whole.run("doctor", "--json", MAILMUM_URL=f"http://127.0.0.1:{free_port('tcp')}")
    assert result.exit_code == 1
    [found] = json.loads(result.stdout)["checks"]
    assert (found["name"], found["state"]) == ("service", "fail")
    assert "no service answers" in found["message"]
    assert found["fix"]


def test_a_token_that_reads_only_is_a_warning(whole: Service, postfix: Path) -> None:
    """It cannot change rules."""
    token = {"name": "monitoring", "scopes": ["read"], "expires": None}
    given = {**json.loads(whole.take("GET", "/api/v1/me").body), "token": token}
    whole.on("GET", "/api/v1/me", answer(given))
    assert checks(whole, postfix)["token"] == "warn"


def test_a_credential_that_others_can_read_is_a_failure(
    whole: Service, postfix: Path, tmp_path: Path
) -> None:
    """It opens the account to everybody on the machine."""
    path = tmp_path / "cli.json"
    path.write_text(json.dumps({"url": whole.url, "token": "mm_x"}))
    path.chmod(0o644)
    found = checks(whole, postfix, "--data", str(tmp_path), status=1)
    assert found["credential"] == "fail"
    path.chmod(0o600)
    assert "credential" not in checks(whole, postfix, "--data", str(tmp_path))


def test_a_service_elsewhere_that_answers_dns_on_loopback_only(
    whole: Service, postfix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's own port 5300 is not asked in its place."""
    monkeypatch.setattr("mailmum.cli.doctor.here", lambda _: False)
    name = next(name for name in checks(whole, postfix) if name.startswith("DNS"))
    assert checks(whole, postfix)[name] == "warn"


def test_a_wildcard_address_is_asked_where_the_service_is(whole: Service, postfix: Path) -> None:
    """0.0.0.0 is nobody's address."""
    given = json.loads(whole.take("GET", "/api/v1/me").body)
    port = given["dns"][0].partition(":")[2]
    whole.on("GET", "/api/v1/me", answer({**given, "dns": [f"0.0.0.0:{port}"]}))
    assert checks(whole, postfix)[f"DNS 0.0.0.0:{port}"] == "ok"


def test_a_configuration_that_cannot_be_read_is_a_failure(whole: Service, tmp_path: Path) -> None:
    """A folder was named that has none."""
    found = checks(whole, tmp_path / "typo", status=1)
    assert found["Postfix"] == "fail"
