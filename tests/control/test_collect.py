"""Whose logs are followed, and what the doctor says of them."""

import json
from pathlib import Path

import pytest

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.config import Config
from mailmum.control.dataplane.collect import TrafficStore, options
from mailmum.control.dataplane.handed import SHIPPED
from mailmum.control.doctor_logs import log_findings
from mailmum.control.listings.services import remove_server
from mailmum.control.servers.queries import servers_of
from mailmum.control.servers.services import add_server, add_shipping_token
from mailmum.control.traffic import intake
from mailmum.control.traffic.intake import Mark
from mailmum.daemons.positions import Position
from mailmum.daemons.tailing_sources import parse_log
from mailmum.domain.errors import BadInput, Conflict, NotFound, Refusal
from mailmum.postfix.log.reader import Found
from mailmum.traffic.sightings import Source
from tests.support.world import World

NOW = 1_795_000_000.0


def whose(text: str) -> int:
    """The number of the server whose log that is."""
    return TrafficStore().destination(parse_log(text)).server


def test_a_named_server(world: World) -> None:
    """Of the account that is named, else of the first: never a stranger's that calls one so."""
    theirs = add_server(world.outsider, "mx1")
    with pytest.raises(NotFound, match="account Example has no server mx1"):
        whose("mx1=/var/log/mail.log")
    ours = add_server(world.owner, "mx1")
    assert whose("mx1=/var/log/mail.log") == whose("Example/mx1=journal") == ours.pk
    assert whose("Other/mx1=/var/log/mail.log") == theirs.pk
    with pytest.raises(NotFound, match="no account None"):
        whose("None/mx1=/var/log/mail.log")
    remove_server(world.owner, "mx1")
    with pytest.raises(NotFound, match="add it: mailmum server add mx1"):
        whose("mx1=/var/log/mail.log")


def test_the_only_server(world: World) -> None:
    """Needs no name; one of several does."""
    add_server(world.outsider, "theirs")
    with pytest.raises(NotFound, match="no server yet"):
        whose("/var/log/mail.log")
    made = add_server(world.owner, "mx1")
    assert whose("/var/log/mail.log") == made.pk
    add_server(world.owner, "mx2")
    with pytest.raises(Conflict, match=r"SERVER=/var/log/mail\.log"):
        whose("/var/log/mail.log")


@pytest.mark.parametrize("given", ["mx1=/a,mx2=journal", ["mx1=/a", "mx2=journal"]])
def test_the_parameter(tmp_path: Path, given: object) -> None:
    """A text with commas, or a list in the file."""
    parameters = config.load(data=tmp_path, logs=given, log_zone="Europe/Berlin")
    assert parameters.logs == "mx1=/a,mx2=journal"
    assert str(options(parameters).zone) == "Europe/Berlin"
    for wrong in ({"logs": "mail.log"}, {"log_zone": "Nowhere"}):
        with pytest.raises(Refusal):
            config.load(data=tmp_path, **wrong)


def findings(
    reading: Reading, folder: Path, logs: list[dict[str, object]] | None, *, age: float = 5.0
) -> list[tuple[str, str, str]]:
    """What the doctor says, with this status of the collector."""
    if logs is not None:
        plain = {
            "log": "mx1=/m",
            "server": None,
            "name": "mx1",
            "problem": "",
            "fix": "",
            "read": 0,
        }
        content = {"began": 1, "written": NOW - age, "logs": [plain | one for one in logs]}
        (folder / "collect.json").write_text(json.dumps(content))
    parameters = Config(data=folder, logs="mx1=/m")
    found = log_findings(reading, list(servers_of(reading)), parameters, NOW)
    return [(one.name, one.state, one.message) for one in found]


def test_the_doctor_tells_how_logs_fare(world: World, tmp_path: Path) -> None:
    """To the account whose server it is."""
    mx1, theirs = add_server(world.owner, "mx1"), add_server(world.outsider, "theirs")
    status: list[dict[str, object]] = [
        {"server": mx1.pk, "problem": "there is no file /m", "fix": "check"},
        {"server": theirs.pk, "log": "Other/theirs=/t", "read": NOW},
        {"server": None, "log": "mx9=/n", "problem": "account Example has no server mx9"},
    ]
    ours = findings(world.viewer, tmp_path, status)
    assert ours == [
        ("server mx1", "fail", "there is no file /m"),
        ("logs", "fail", "account Example has no server mx9"),
    ]
    [foreign] = findings(world.outsider, tmp_path, status)
    assert foreign[:2] == ("server theirs", "ok")
    assert "Other/theirs=/t, read at 2026-" in foreign[2]


@pytest.mark.parametrize("logs", [None, []])
def test_a_collector_that_does_not_run(
    world: World, tmp_path: Path, logs: list[dict[str, object]] | None
) -> None:
    """Or has stopped saying anything; that is the operator's matter."""
    [(name, state, message)] = findings(world.owner, tmp_path, logs, age=100)
    assert (name, state) == ("logs", "fail")
    assert "has not been running" in message
    assert findings(world.outsider, tmp_path, logs, age=100) == []


def test_lines_that_were_dropped_where_they_were_handed_in(world: World, tmp_path: Path) -> None:
    """How many, and of which log."""
    mx1 = add_server(world.owner, "mx1")
    position = Position(7, 12, None).text()
    mark = Mark(mx1.pk, f"{SHIPPED}mx1:file:/m", position, b"")
    intake.keep(mx1.account_id, mx1.pk, Source.LOG, Found([], []), mark=mark, now=NOW)
    [found] = findings(world.owner, tmp_path, [])
    assert found[:2] == ("server mx1", "warn")
    assert "12 lines were dropped" in found[2]
    assert findings(world.outsider, tmp_path, []) == []


def test_a_server_must_be_named_for_a_token(world: World) -> None:
    """Else it would be worth nothing."""
    with pytest.raises(BadInput, match="one server"):
        add_shipping_token(world.owner, "", "x")
