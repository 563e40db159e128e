"""`mailmum up`: what it makes, how it fails, how it goes on."""

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from mailmum.control.parts import NAMES
from tests.support.ports import free_port
from tests.support.service import MAILMUM, Service, make_service, service
from tests.support.tables import copy_tables


def fails(folder: Path, *options: str, **environment: str) -> str:
    """Run `mailmum up` where it must fail; what it says."""
    made = make_service(folder, sqlite=True)
    if not made.data.exists():
        copy_tables(made.data)
    done = subprocess.run(
        [
            MAILMUM,
            "up",
            "--data",
            str(made.data),
            "--web",
            made.web,
            "--dns",
            ":".join(map(str, made.dns)),
            *options,
        ],
        env={**made.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_an_empty_folder_becomes_a_service(tmp_path: Path) -> None:
    """Database, account, owner, credential; secrets are the owner's alone.

    The second start goes on, with the zone that was given at the first.
    """
    made = make_service(tmp_path, "--zone", "rbl.example.net", empty=True)
    with made.up():
        assert made.sign_in_link()
        zones = made.json("server", "add", "mx1")["zones"]
        assert zones["bl"].endswith(".bl.rbl.example.net")
        made.run("block", "203.0.113.7")
        for name in ("cli.json", "secret.key"):
            assert stat.S_IMODE((made.data / name).stat().st_mode) == 0o600
        assert stat.S_IMODE(made.data.stat().st_mode) == 0o700
    made.options = ()
    with made.up():
        assert "/enter/" not in (made.child.output if made.child else "")
        assert made.json("server", "show", "mx1")["zones"] == zones
        made.eventually(lambda: made.lookup(f"7.113.0.203.{zones['bl']}") == ["127.0.0.2"])


# The collector runs where there is a log to follow, if only one to wait for.
_LOG = ("--log", "mx1=/nonexistent/mail.log")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service of every part, and the name of what it blocks."""
    with service(tmp_path_factory.mktemp("whole"), *_LOG) as made:
        zones = made.json("server", "add", "mx1")["zones"]
        made.run("block", "203.0.113.7")
        yield made, f"7.113.0.203.{zones['bl']}"


@pytest.mark.parametrize("part", NAMES)
def test_a_part_that_dies_is_started_again(whole: tuple[Service, str], part: str) -> None:
    """With a line in the log that says why; the service answers again."""
    made, blocked = whole
    assert made.child is not None
    child, answers = made.child, f'"part": "{part}", "event": "part answers"'
    before = child.output.count(answers)
    assert before
    pid = pid_of(child.output, part)
    assert Path(f"/proc/{pid}/comm").read_text() == f"mailmum-{part}\n"
    os.kill(pid, signal.SIGKILL)
    child.wait_for(f'"part": "{part}", .*killed by SIGKILL.*"part ended, starting it again"')
    child.wait_for(lambda: child.output.count(answers) == before + 1, 20)
    made.run("listings")
    made.eventually(lambda: made.lookup(blocked) == ["127.0.0.2"])


def pid_of(log: str, part: str) -> int:
    """The latest process of a part, from the structured log."""
    started = [json.loads(line) for line in log.splitlines() if '"part started"' in line]
    return int(next(entry["pid"] for entry in reversed(started) if entry["part"] == part))


def test_sigterm_stops_all(tmp_path: Path) -> None:
    """Cleanly, with status 0, and nobody is left or had to be killed, whoever is connected."""
    with service(tmp_path, *_LOG) as made, ExitStack() as stack:
        assert made.child is not None
        pids = [pid_of(made.child.output, part) for part in NAMES]
        for place in (made.web, made.policy, ":".join(map(str, made.dns))):
            host, _, port = place.rpartition(":")
            stack.enter_context(socket.create_connection((host, int(port))))
        live = stack.enter_context(closing(HTTPConnection(made.web, timeout=30)))
        token = json.loads((made.data / "cli.json").read_text())["token"]
        live.request("GET", "/api/v1/sightings/live", headers={"Authorization": f"Bearer {token}"})
        assert live.getresponse().readline()
        assert made.child.stop() == 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        ended = '"reason": "exit status 0", "event": "part stopped"'
        assert made.child.output.count(ended) == len(NAMES)
        assert "graceful shutdown exceeded" not in made.child.output


@pytest.mark.once
@pytest.mark.parametrize(("option", "kind"), [("--web", "tcp"), ("--dns", "udp"), ("--dns", "tcp")])
def test_a_port_in_use(tmp_path: Path, option: str, kind: str) -> None:
    """Named, with the way to find out who has it."""
    port = free_port("both")
    kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
    with socket.socket(socket.AF_INET, kinds[kind]) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == "tcp":
            taken.listen()
        said = fails(tmp_path, option, f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in said
    assert "in use" in said
    assert ";" in said


@pytest.mark.once
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Here: a file stands in its place."""
    (tmp_path / "data").write_text("a file")
    said = fails(tmp_path)
    assert "data" in said
    assert "cannot be written" in said


@pytest.mark.once
def test_a_database_from_a_newer_version(tmp_path: Path) -> None:
    """Recognised by a migration that this version does not know; it is left alone."""
    with service(tmp_path, sqlite=True) as made:
        pass
    with sqlite3.connect(made.data / "mailmum.sqlite3") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) "
            "VALUES ('listings', '9999_from_the_future', '2030-01-01')"
        )
    said = fails(tmp_path)
    assert "newer MailMum" in said
    assert "9999_from_the_future" in said


@pytest.mark.once
def test_a_database_that_is_none(tmp_path: Path) -> None:
    """Garbage in its place is named, and not overwritten."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "mailmum.sqlite3"
    path.write_bytes(b"this is no database at all, " * 100)
    said = fails(tmp_path)
    assert "not an SQLite database" in said
    assert path.read_bytes().startswith(b"this is no database")


@pytest.mark.once
def test_a_database_of_traffic_that_is_none(tmp_path: Path) -> None:
    """To answer mail servers it is not needed: a machine that starts again must go on with that."""
    made = make_service(tmp_path, sqlite=True)
    copy_tables(made.data)
    garbage = b"this is no database at all, " * 100
    (made.data / "traffic.sqlite3").write_bytes(garbage)
    said = subprocess.run(
        [MAILMUM, "migrate"], env=made.environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert "traffic.sqlite3 is not an SQLite database" in said.stderr
    assert "Sign in once with" in said.stdout
    with made.up():
        zone = made.json("server", "add", "mx1")["zones"]["bl"]
        made.run("block", "203.0.113.7")
        made.eventually(lambda: made.lookup(f"7.113.0.203.{zone}") == ["127.0.0.2"])
        assert "database of traffic is away" in made.run("listings").stderr
    assert (made.data / "traffic.sqlite3").read_bytes() == garbage


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--zone", "no such..name"), "zone"),
        (("--web", "8053"), "HOST:PORT"),
        (("--dns", "127.0.0.1:99999"), "HOST:PORT"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    """The option is named, and an example given."""
    assert says in fails(tmp_path, *options)


@pytest.mark.once
def test_a_file_of_parameters_that_cannot_be_read(tmp_path: Path) -> None:
    """A misspelt parameter is named instead of being ignored."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mailmum.toml").write_text('zona = "rbl.example.net"\n')
    said = fails(tmp_path)
    assert "zona" in said
    assert "mailmum.toml" in said


@pytest.mark.once
def test_postgresql_away(tmp_path: Path) -> None:
    """Says what cannot be reached."""
    url = f"postgresql://nobody@127.0.0.1:{free_port('tcp')}/none"
    said = fails(tmp_path, MAILMUM_DATABASE=url)
    assert "PostgreSQL cannot be reached" in said


@pytest.mark.once
def test_commands_on_a_folder_without_its_tables(tmp_path: Path) -> None:
    """Say what makes them, and neither make anything nor fail with a traceback."""
    made = make_service(tmp_path, sqlite=True)
    copy_tables(made.data)
    (made.data / "mailmum.toml").touch()
    # So it looks where a part alone was started.
    path = (made.data / "mailmum.sqlite3").rename(made.data / "elsewhere")
    said = made.run("account", "list", status=1).stderr
    assert "mailmum.sqlite3 is not there" in said
    assert "mailmum migrate" in said
    assert not (made.data / "mailmum.sqlite3").exists()
    path.rename(made.data / "mailmum.sqlite3")
    with closing(sqlite3.connect(made.data / "mailmum.sqlite3")) as database, database:
        database.execute("DELETE FROM django_migrations WHERE app = 'listings'")
    said = made.run("account", "link", "owner@localhost", status=1).stderr
    assert said.startswith("mailmum: the database has not the tables of this version")
    made.environment["MAILMUM_DATABASE"] = f"postgresql://nobody@127.0.0.1:{free_port('tcp')}/none"
    said = made.run("account", "list", status=1).stderr
    assert said.startswith("mailmum: PostgreSQL cannot be reached")
