"""`doctor` as a whole: its findings together, and the exit status."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mailmum.cli.endpoints import postfix_endpoint
from mailmum.cli.failures import Failure
from mailmum.policy.socketmap import NOT_FOUND, Lookups, request_of
from mailmum.postfix.setup import Way
from tests.cli.names import Names
from tests.cli.postconf import make_postfix, set_up
from tests.cli.service import Service, answer, error
from tests.cli.shapes import KEY, me, server
from tests.support.ports import free_port


@pytest.fixture
def desk() -> Iterator[str]:
    """A policy service, as far as the doctor asks it; where it listens."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                with listening.accept()[0] as one:
                    # Found by nobody, and in pieces, as TCP may have it.
                    assert [request_of(it, None) for it in Lookups().feed(one.recv(99))] == [None]
                    one.sendall(NOT_FOUND[:4])
                    one.sendall(NOT_FOUND[4:])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def whole(service: Service, resolver: Names, postfix: Path, desk: str) -> Service:
    """A service, a resolver and a Postfix that are all well."""
    set_up(postfix)
    told = me(dns=[f"127.0.0.1:{resolver.port}"], policy=desk)
    service.on("GET", "/api/v1/me", answer(told))
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
    assert any(name.startswith("policy 127.0.0.1:") for name in found)


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


def test_a_policy_service_that_is_away(whole: Service, tmp_path: Path, resolver: Names) -> None:
    """A failure where the Postfix here asks it, which then needs no resolver."""
    at = f"127.0.0.1:{free_port('tcp')}"
    given = json.loads(whole.take("GET", "/api/v1/me").body)
    whole.on("GET", "/api/v1/me", answer({**given, "policy": at}))
    resolver.found.clear()
    folder = make_postfix(tmp_path / "other")
    found = checks(whole, folder, status=1)
    assert (found[f"policy {at}"], found["resolver"]) == ("warn", "fail")
    set_up(folder, way=Way.POLICY, policy=at)
    found = checks(whole, folder, status=1)
    assert (found[f"policy {at}"], found["resolver"]) == ("fail", "warn")


@pytest.mark.parametrize("spelled", ["localhost:{}", "{}", "[127.0.0.1]:{}", "127.0.0.1:{}"])
def test_a_policy_service_is_asked_where_postfix_asks(
    whole: Service, tmp_path: Path, spelled: str
) -> None:
    """However that is spelled; a name that is no service is a failure, as it is in Postfix."""
    port = json.loads(whole.take("GET", "/api/v1/me").body)["policy"].rpartition(":")[2]
    at = spelled.format(port)
    check = f"check_policy_service {{ inet:{at}, policy_context={KEY}, default_action=DUNNO }}"
    folder = make_postfix(tmp_path / "own", f"smtpd_client_restrictions = {check}")
    assert checks(whole, folder)[f"policy {at}"] == "ok"
    wrong = "127.0.0.1:no-such-service"
    folder = make_postfix(
        tmp_path / "wrong", f"smtpd_client_restrictions = {check.replace(at, wrong)}"
    )
    assert checks(whole, folder, status=1)[f"policy {wrong}"] == "fail"


def test_a_port_of_postfix_may_be_the_name_of_a_service() -> None:
    """As /etc/services has it; a host stays what it is."""
    for text, host in (
        ("127.0.0.1:smtp", "127.0.0.1"),
        ("localhost:smtp", "localhost"),
        ("[::1]:smtp", "::1"),
        ("smtp", "localhost"),
        (":smtp", "localhost"),
        (":25", "localhost"),
    ):
        assert postfix_endpoint(text) == (host, 25)
    for text, says in (
        ("127.0.0.1:no-such-service", "neither a port nor a service in /etc/services"),
        ("127.0.0.1:0", "is not an address with a port"),
        ("[::1]", "::1. is neither a port"),
    ):
        with pytest.raises(Failure, match=says):
            postfix_endpoint(text)


def test_a_configuration_that_cannot_be_read_is_a_failure(whole: Service, tmp_path: Path) -> None:
    """A folder was named that has none."""
    found = checks(whole, tmp_path / "typo", status=1)
    assert found["Postfix"] == "fail"
