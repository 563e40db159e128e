"""Socketmap lookups at the policy service, by Postfix's own postmap."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.daemons.dnsd_kit import KEY, Database
from tests.daemons.policyd_kit import Served, serving
from tests.support.waiting import eventually

POSTMAP = shutil.which("postmap", path="/usr/sbin:/usr/bin") or "postmap"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Blocked and allowed addresses and names."""
    database = Database(tmp_path)
    database.block("203.0.113.7", reason="Sent spam")
    database.block("198.51.100.0/24", "2001:db8::/32")
    database.block("mx.spam.example", ".bulk.example", "example.net")
    database.block("198.51.100.9", "good.bulk.example", action="allow")
    return database


def postmap(served: Served, *keys: str, key: str = KEY) -> dict[str, str]:
    """What Postfix finds, of several keys over one connection."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "main.cf")
        config.write_text("compatibility_level = 3.6\nmyhostname = mx.example.net\n")
        # Postfix waits until a file has been left alone for a second.
        os.utime(config, (1, 1))
        return _postmap(
            ["-c", folder, "-q", "-"], keys, f"socketmap:inet:127.0.0.1:{served.port}:{key}"
        )


def _postmap(options: list[str], keys: tuple[str, ...], table: str) -> dict[str, str]:
    command = [POSTMAP, *options, table]
    text = "".join(f"{one}\n" for one in keys)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    lines = (line.partition("\t") for line in done.stdout.splitlines())
    return {key: value for key, _, value in lines}


def test_postmap_finds_what_is_listed(database: Database) -> None:
    """With the action for access tables; allows of names are not for a client to claim."""
    with serving(database) as served:
        keys = [
            *("203.0.113.7", "203.0.113.8", "198.51.100.8", "198.51.100.9", "2001:db8::1"),
            *("mx.spam.example", "spam.example", "a.mx.spam.example", "x.bulk.example"),
            *("good.bulk.example", "203.0.113", "203", "127.0.0.1"),
        ]
        found = postmap(served, *keys)
        rejected = {"203.0.113.7", "198.51.100.8", "2001:db8::1", "mx.spam.example"}
        assert {key for key, action in found.items() if action.startswith("REJECT 5.7.1")} == (
            rejected | {"x.bulk.example"}
        )
        assert found["198.51.100.9"] == "permit_auth_destination"
        assert set(found) == rejected | {"x.bulk.example", "198.51.100.9"}
        assert found["203.0.113.7"].startswith("REJECT 5.7.1 Sent spam. See https://")
        assert KEY not in found["203.0.113.7"]


def test_the_host_above_a_client_is_not_the_client(database: Database) -> None:
    """Postfix looks up a.example.net, example.net, net; the host example.net alone is blocked."""
    with serving(database) as served:
        assert postmap(served, "a.example.net", "example.net", "net") == {}
        assert list(postmap(served, "example.net", "net")) == ["example.net"]


def test_a_change_is_seen_at_once(database: Database) -> None:
    """By the next lookup."""
    with serving(database) as served:
        assert postmap(served, "192.0.2.9") == {}
        database.block("192.0.2.9")
        eventually(lambda: list(postmap(served, "192.0.2.9")) == ["192.0.2.9"])
        database.unlist("192.0.2.9")
        eventually(lambda: postmap(served, "192.0.2.9") == {})


def test_each_contact_counts_once(database: Database) -> None:
    """Names and networks that Postfix looks up beside the address are not contacts."""
    with serving(database) as served:
        postmap(served, "mail.good.example", "good.example", "example", "192.0.2.1", "192.0.2")
        postmap(served, "mx.spam.example")
        eventually(lambda: served.sink.total("block") == 1)
        assert served.sink.total("none") == 1
        seen = [one.sighting for p in served.sink.parcels for one in p.taken.sightings]
        assert [one.client for one in seen] == ["192.0.2.1", None]


@pytest.mark.parametrize("key", ["unknown12345", "x" * 200])
def test_an_unknown_key_finds_nothing(database: Database, key: str) -> None:
    """Mail flows."""
    with serving(database) as served:
        assert postmap(served, "203.0.113.7", key=key) == {}


def test_without_an_index_nothing_is_found(database: Database) -> None:
    """While the database is away and there is no snapshot."""
    with database.trouble("away"), serving(database, wait=False) as served:
        assert postmap(served, "203.0.113.7") == {}


@pytest.mark.parametrize(
    "stream", [b"9", b"9:x", b"99999:", b"3:abc;", b"1" * 100, b"5000:" + b"x" * 9]
)
def test_hostile_streams(database: Database, stream: bytes) -> None:
    """They are closed, or wait until they are; others are served."""
    with serving(database) as served:
        with socket.create_connection((served.host, served.port), 5) as sock:
            sock.sendall(stream)
            assert "203.0.113.7" in postmap(served, "203.0.113.7")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
        assert served.ask().startswith("REJECT")


def test_many_lookups_in_one_piece(database: Database) -> None:
    """Replies come in order, with a slow reader too."""
    with serving(database) as served, socket.create_connection((served.host, served.port)) as sock:
        one = f"{KEY} 203.0.113.7".encode()
        other = f"{KEY} 203.0.113.8".encode()
        pair = b"".join(b"%d:%b," % (len(text), text) for text in (one, other))
        sock.sendall(pair * 500)
        sock.shutdown(socket.SHUT_WR)
        replies = b"".join(iter(lambda: sock.recv(65536), b""))
        assert replies.count(b":OK REJECT") == replies.count(b"9:NOTFOUND ,") == 500
