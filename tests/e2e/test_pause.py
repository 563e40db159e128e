"""The panic switch the whole way: both DNS engines and the policy service, and after a restart."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.service import Service, make_service


def policy(made: Service, key: str, address: str) -> str:
    """What the policy service answers about a client."""
    host, _, port = made.policy.rpartition(":")
    fields = {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "policy_context": key,
        "client_address": address,
        "client_name": "unknown",
        "reverse_client_name": "unknown",
        "helo_name": "mail.visitor.example",
    }
    text = "".join(f"{name}={value}\n" for name, value in fields.items())
    with closing(socket.create_connection((host, int(port)), 5)) as connection:
        connection.sendall(f"{text}\n".encode())
        return connection.makefile().readline().strip()


@pytest.mark.parametrize("engine", ["compiled", "python"])
def test_a_pause_is_obeyed_everywhere_and_kept(tmp_path: Path, engine: str) -> None:
    """Blocked, paused, resumed; a restart in between changes nothing, and what is allowed stays."""
    made = make_service(tmp_path, engine=engine)
    with made.up():
        key = made.json("server", "add", "mx1")["key"]
        made.run("block", "203.0.113.0/24", ".spam.example")
        made.run("allow", "203.0.113.25")
        blocked = f"7.113.0.203.{key}.bl.mailmum.internal"
        name = f"mail.spam.example.{key}.dbl.mailmum.internal"
        allowed = f"25.113.0.203.{key}.wl.mailmum.internal"

        def verdicts() -> tuple[list[str], list[str], list[str], str]:
            asked = policy(made, key, "203.0.113.7").split()[0]
            return made.lookup(blocked), made.lookup(name), made.lookup(allowed), asked

        usual = (["127.0.0.3"], ["127.0.1.3"], ["127.0.0.2"], "action=REJECT")
        paused: tuple[list[str], list[str], list[str], str] = (
            [],
            [],
            ["127.0.0.2"],
            "action=DUNNO",
        )
        made.eventually(lambda: verdicts() == usual)
        made.run("server", "pause", "mx1")
        made.eventually(lambda: verdicts() == paused)
    with made.up():
        made.eventually(lambda: verdicts() == paused)
        made.run("pause", "--for", "1h")
        made.run("server", "resume", "mx1")
        assert verdicts() == paused
        made.run("resume")
        made.eventually(lambda: verdicts() == usual)
