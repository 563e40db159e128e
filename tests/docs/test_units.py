"""The units of contrib/systemd: systemd understands them, and what they start answers.

There is no systemd where tests run, so each command is run as its unit has it: with its
environment, the data folder and the address of the notification socket put in.
"""

import configparser
import os
import shlex
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mailmum.control.parts import NAMES
from tests.docs.markdown import ROOT
from tests.support.process import running
from tests.support.service import make_service, service

UNITS = ROOT / "contrib/systemd"
PROGRAM, DATA = "/opt/mailmum/.venv/bin/mailmum", "/var/lib/mailmum"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
# The one for other machines: it has no data folder, but the address of the service and a token.
SHIP = "mailmum-ship.service"


def unit(name: str) -> configparser.ConfigParser:
    """A unit as systemd reads it: `key=value` in sections, keys with capitals."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as the manual of it says
    parser.read_string((UNITS / name).read_text())
    return parser


def test_every_part_has_a_unit() -> None:
    """And the target wants them all."""
    parts = {f"mailmum-{name}.service" for name in NAMES}
    assert set(SERVICES) == {*parts, "mailmum.service", "mailmum-migrate.service", SHIP}
    wanted = set(unit("mailmum.target")["Unit"]["Wants"].split())
    assert wanted == {*parts, "mailmum-migrate.service"}
    assert all(unit(name)["Unit"]["PartOf"] == "mailmum.target" for name in parts)


@pytest.mark.parametrize("name", [*SERVICES, "mailmum.target"])
def test_systemd_understands_them(name: str, tmp_path: Path) -> None:
    """By systemd's own check where it is there, with the program of this checkout in its place."""
    for path in UNITS.iterdir():
        text = path.read_text().replace(PROGRAM, f"{sys.prefix}/bin/mailmum")
        (tmp_path / path.name).write_text(text)
    sections = unit(name).sections()
    assert sections[0] == "Unit"
    assert set(sections) <= {"Unit", "Service", "Install"}
    if shutil.which("systemd-analyze") is None:
        return
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_units_share_what_all_need(name: str) -> None:
    """One user, one folder, nothing of the machine besides."""
    service = unit(name)["Service"]
    if name == SHIP:
        assert service["DynamicUser"] == "yes"
        assert service["StateDirectory"] == "mailmum-ship"
    else:
        assert service["User"] == service["Group"] == "mailmum"
        assert service["Environment"] == f"MAILMUM_DATA={DATA}"
        assert service["StateDirectory"] == "mailmum"
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"):
        assert service[key] == "yes"
    assert service["ProtectSystem"] == "strict"


def test_units_start_what_answers(tmp_path: Path) -> None:
    """Each in turn on one folder: the database is made, and each part says that it answers."""
    made = make_service(tmp_path, sqlite=True)
    host, port = made.dns
    # As mailmum.toml would have it.
    environment = made.environment | {
        "MAILMUM_WEB": made.web,
        "MAILMUM_DNS": f"{host}:{port}",
        "PATH": os.environ["PATH"],
    }
    migrate = subprocess.run(
        command("mailmum-migrate.service"), env=environment, capture_output=True, check=False
    )
    assert migrate.returncode == 0, migrate.stderr
    assert stat.S_IMODE(made.data.stat().st_mode) == int(
        unit("mailmum-migrate.service")["Service"]["StateDirectoryMode"], 8
    )
    for name in NAMES:
        service_name = f"mailmum-{name}.service"
        assert unit(service_name)["Service"]["Type"] == "notify"
        starts_and_stops(command(service_name), environment, tmp_path / f"{name}.sock")


def test_the_unit_for_other_machines(tmp_path: Path) -> None:
    """With what its file of variables holds, and a spool of its own."""
    with service(tmp_path, sqlite=True) as made:
        made.run("server", "add", "mx1")
        words = ("--account", "main", "--name", "mx1", "--scope", "ship", "--server", "mx1")
        token = made.run("account", "token", "owner@localhost", *words).stdout.strip()
        variables = {"MAILMUM_URL": made.url, "MAILMUM_TOKEN": token, "PATH": os.environ["PATH"]}
        given = {"/var/lib/mailmum-ship": str(tmp_path / "spool"), "/var/log/mail.log": __file__}
        words_of_unit = [given.get(word, word) for word in command(SHIP)]
        starts_and_stops(words_of_unit, variables, tmp_path / "ship.sock")
    assert list((tmp_path / "spool").iterdir())


def starts_and_stops(words: list[str], environment: dict[str, str], path: Path) -> None:
    """What a unit starts says that it answers, and ends when it is told to."""
    with notified(path) as inbox:
        told = environment | {"NOTIFY_SOCKET": str(path)}
        with running(words, env=told, timeout=30) as child:
            assert inbox.recv(100) == b"READY=1"
            # uvicorn ends by the signal itself, which systemd takes for a clean end, too.
            assert child.stop() in (0, -15)


def command(name: str) -> list[str]:
    """What a unit starts, with the program of this checkout."""
    program, *words = shlex.split(unit(name)["Service"]["ExecStart"])
    assert program == PROGRAM
    return [f"{sys.prefix}/bin/mailmum", *words]


def notified(path: Path) -> socket.socket:
    """The service manager's end of a notification socket."""
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inbox.bind(str(path))
    inbox.settimeout(30)
    return inbox
