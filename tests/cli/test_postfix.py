"""`postfix setup`: which Postfix is read, what is printed."""

import json
import os
from pathlib import Path

import pytest

from mailmum.cli import postfix_here
from tests.cli.postconf import apply, make_postfix, value
from tests.cli.service import Service, answer, error
from tests.cli.shapes import KEY, me, server

OWN = "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client zen.example"


@pytest.fixture
def ready(service: Service) -> Service:
    """A service with a server."""
    service.on("GET", "/api/v1/me", answer(me()))
    service.on("GET", "/api/v1/servers/mx1", answer(server()))
    return service


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Postfix."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(postfix_here, "_USUAL", "/nonexistent")


def test_on_the_mail_server_it_merges(ready: Service, tmp_path: Path) -> None:
    """The printed script, run, leaves what stands and puts the allow before the third party."""
    folder = make_postfix(tmp_path / "postfix", OWN)
    script = ready.run("postfix", "setup", "--server", "mx1", "--config-dir", str(folder)).stdout
    apply(script, folder)
    restrictions = value(folder, "smtpd_client_restrictions")
    assert restrictions.startswith(
        "permit_mynetworks, $mailmum_allow, reject_rbl_client zen.example"
    )
    assert "$mailmum_block" in restrictions
    assert KEY in value(folder, "mailmum_block")
    assert "mailmum_rbl_reply" in value(folder, "rbl_reply_maps")


def test_run_again_it_has_nothing_to_do(ready: Service, tmp_path: Path) -> None:
    """And says so, for scripts in `changes`."""
    folder = make_postfix(tmp_path / "postfix", OWN)
    words = ("postfix", "setup", "--server", "mx1", "--config-dir", str(folder))
    apply(ready.run(*words).stdout, folder)
    told = json.loads(ready.run(*words, "--json").stdout)
    assert told["merged"] is True
    assert told["changes"] == []
    assert told["text"] == ready.run(*words).stdout


def test_run_again_it_keeps_to_its_way(ready: Service, tmp_path: Path) -> None:
    """A new key is no reason to ask over DNS, or another service; a way that is named is taken."""
    folder = make_postfix(tmp_path / "postfix", OWN)
    words = ("postfix", "setup", "--server", "mx1", "--config-dir", str(folder))
    apply(ready.run(*words, "--way", "policy", "--policy", "192.0.2.53:10053").stdout, folder)
    assert json.loads(ready.run(*words, "--json").stdout)["changes"] == []
    named = json.loads(ready.run(*words, "--way", "dns", "--json").stdout)["changes"]
    assert {"mailmum_allow", "mailmum_block", "rbl_reply_maps"} <= set(named)


def test_a_trial_only_warns(ready: Service, tmp_path: Path) -> None:
    """Every block stands behind warn_if_reject."""
    folder = make_postfix(tmp_path / "postfix")
    words = ("postfix", "setup", "--server", "mx1", "--trial", "--config-dir", str(folder))
    apply(ready.run(*words).stdout, folder)
    block = value(folder, "mailmum_block")
    assert block.count("warn_if_reject") == block.count("reject_rbl_client") + block.count(
        "reject_rhsbl_"
    )


@pytest.mark.parametrize(
    ("option", "touched"), [(None, False), ("--postscreen", True), ("--no-postscreen", False)]
)
def test_postscreen_is_set_up_when_asked_for(
    ready: Service, tmp_path: Path, option: str | None, *, touched: bool
) -> None:
    """Where it is not in use it is left alone by default."""
    folder = make_postfix(tmp_path / "postfix")
    words = ["postfix", "setup", "--server", "mx1", "--config-dir", str(folder)]
    told = json.loads(ready.run(*words, *([option] if option else []), "--json").stdout)
    assert ("postscreen_dnsbl_sites" in told["changes"]) is touched


@pytest.mark.usefixtures("elsewhere")
def test_elsewhere_it_says_where_to_insert_what(ready: Service) -> None:
    """And that nobody else reaches a service that listens on loopback."""
    result = ready.run("postfix", "setup", "--server", "mx1")
    assert result.exit_code == 0
    assert "Insert by hand" in result.stdout
    assert "start it with --dns ADDRESS:PORT" in result.stderr
    assert json.loads(ready.run("postfix", "setup", "--server", "mx1", "--json").stdout)[
        "insertions"
    ]


@pytest.mark.usefixtures("elsewhere")
def test_here_without_a_postfix_is_a_failure(ready: Service) -> None:
    """Who says --here does not want lines for somewhere else."""
    result = ready.run("postfix", "setup", "--server", "mx1", "--here")
    assert result.exit_code == 1
    assert "there is no Postfix on this machine" in result.stderr


def fake_postconf(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A postconf that fails in a certain way."""
    program = folder / "postconf"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_postfix_without_a_configuration_is_none(
    ready: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's package can be installed like that; but --here insists."""
    complaint = "postconf: fatal: open /etc/postfix/main.cf: No such file or directory"
    fake_postconf(tmp_path, monkeypatch, f"echo '{complaint}' >&2; exit 1")
    assert "Insert by hand" in ready.run("postfix", "setup", "--server", "mx1").stdout
    result = ready.run("postfix", "setup", "--server", "mx1", "--here")
    assert result.exit_code == 1
    assert "main.cf: No such file or directory; configure Postfix first" in result.stderr


def test_a_postconf_that_fails_is_told(
    ready: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken configuration is not taken for none: merging with nothing would drop what stands."""
    fake_postconf(tmp_path, monkeypatch, "echo 'postconf: fatal: bad \x1b[2Jline 7' >&2; exit 1")
    result = ready.run("postfix", "setup", "--server", "mx1")
    assert result.exit_code == 1
    assert "failed: postconf: fatal: bad \\x1b[2Jline 7; mend that first" in result.stderr
    assert result.stdout == ""


def test_a_postconf_that_hangs_is_told(
    ready: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command does not hang with it."""
    monkeypatch.setattr(postfix_here, "_TIMEOUT", 0.2)
    fake_postconf(tmp_path, monkeypatch, "exec sleep 5")
    result = ready.run("postfix", "setup", "--server", "mx1")
    assert result.exit_code == 1
    assert "did not end in 0.2 s" in result.stderr


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("resolver", "at"),
    [("192.0.2.53", "192.0.2.53@53"), ("[2001:db8::53]:5300", "2001:db8::53@5300")],
)
def test_the_way_of_the_resolver_can_be_named(ready: Service, resolver: str, at: str) -> None:
    """Where the mail server reaches the service by another address than it listens on."""
    result = ready.run("postfix", "setup", "--server", "mx1", "--resolver", resolver)
    assert f"stub-addr: {at}" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("resolver", ["", "192.0.2.53:0", "a b", "192.0.2.53:x", "nosuch.invalid"])
def test_a_resolver_that_is_none(ready: Service, resolver: str) -> None:
    """Exit 1 with what to write."""
    result = ready.run("postfix", "setup", "--server", "mx1", "--resolver", resolver or "[")
    assert result.exit_code == 1
    assert "; " in result.stderr


def test_an_unknown_server(service: Service) -> None:
    """The service's message is passed on."""
    service.on("GET", "/api/v1/me", answer(me()))
    missing = error("not-found", "there is no server mx9", "add it", status=404)
    service.on("GET", "/api/v1/servers/mx9", missing)
    result = service.run("postfix", "setup", "--server", "mx9", "--elsewhere")
    assert (result.exit_code, result.stderr) == (1, "mailmum: there is no server mx9; add it\n")


def test_a_server_must_be_named(service: Service) -> None:
    """It decides whose zones are asked."""
    assert service.run("postfix", "setup").exit_code == 2
