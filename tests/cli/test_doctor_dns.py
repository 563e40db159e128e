"""`doctor` and DNS: what it finds when it asks the service, and this machine's resolver."""

from pathlib import Path

import dns.resolver
import pytest

from mailmum.cli import doctor_dns
from mailmum.cli.doctor_findings import Finding
from tests.cli.names import LISTED, UNLISTED, ZONE, Names, answering
from tests.cli.shapes import BASE, KEY, server
from tests.support.ports import free_port


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


def test_a_server_that_everybody_may_ask_is_asked_about() -> None:
    """This machine may be refused at another, which would be no fault; the resolver must not be."""
    free, held = server("mx1"), server("mx2", key="k2k2k2k2k2k2", askers=["192.0.2.1"])
    for anybody in (False, True):
        assert doctor_dns.question([held, free], BASE, anybody=anybody) == ZONE
        assert doctor_dns.question([], BASE, anybody=anybody) == BASE
    assert doctor_dns.question([held], BASE) == held["zones"]["bl"]
    assert doctor_dns.question([held], BASE, anybody=True) == BASE


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
