"""`alerts`: what is printed, what is asked for, and how a test that failed ends."""

import json
from typing import Any

import pytest

from tests.cli.service import Answer, Service, answer, error

ALERT = {
    "id": 7,
    "kind": "spike",
    "title": "Far more of something than usual",
    "about": "mx1/auth",
    "severity": "warning",
    "text": "412 failed logins at the server mx1\x1b[2J",
    "since": "2026-11-27T10:00:00Z",
    "opened": "2026-11-27T11:01:00Z",
    "closed": None,
    "acknowledged": None,
    "acknowledged_by": None,
    "url": "http://127.0.0.1:8053/a/1/server/mx1/",
}
CHANNEL = {
    "name": "hook",
    "kind": "webhook",
    "target": "https://hook.example/in",
    "least": "warning",
    "kinds": ["spike"],
    "reports": False,
    "created": "2026-11-27T10:00:00Z",
    "stopped": None,
    "last_tried": None,
    "last_error": None,
    "secret": "5ec2e7",
}
HABITS: dict[str, Any] = {
    "zone": "UTC",
    "quiet_from": "",
    "quiet_until": "",
    "digest": 60,
    "silent_after": 900,
    "spike_times": 4,
    "spike_least": 50,
    "accepted_least": 1,
    "report_day": 0,
    "report_hour": 7,
}
PLACE = "/api/v1/alerts"


def test_a_list(service: Service) -> None:
    """With states in words, and nothing that plays tricks with a terminal."""
    seen = ALERT | {"acknowledged": "2026-11-27T11:05:00Z", "acknowledged_by": "o@example.net"}
    over = ALERT | {"closed": "2026-11-27T12:00:00Z"}
    service.on("GET", PLACE, answer({"alerts": [ALERT, seen, over], "next": None}))
    lines = service.run("alerts", "list").stdout.splitlines()
    assert [line.split("\t")[-1] for line in lines] == [
        "state",
        "new",
        "seen by o@example.net",
        "over since 2026-11-27 12:00:00 UTC",
    ]
    assert "\x1b" not in "".join(lines)
    assert json.loads(service.run("alerts", "list", "--json").stdout)[0] == ALERT
    service.run("alerts", "list", "--past")
    assert service.asked[-1].query == {"past": "1"}


def test_nothing_is_open(service: Service) -> None:
    """That is said, and nothing goes to standard output."""
    service.on("GET", PLACE, answer({"alerts": [], "next": None}))
    done = service.run("alerts", "list")
    assert (done.stdout, "no alert is open" in done.stderr) == ("", True)


def test_adding(service: Service) -> None:
    """By its form a target is a mail address or a webhook."""
    service.on("POST", f"{PLACE}/channels", answer(CHANNEL, 201))
    done = service.run(
        "alerts", "add", "hook", "https://hook.example/@in", "--least", "warning", "--kind", "spike"
    )
    assert service.asked[-1].json == {
        "name": "hook",
        "kind": "webhook",
        "target": "https://hook.example/@in",
        "least": "warning",
        "kinds": ["spike"],
        "reports": False,
    }
    assert done.stdout.splitlines() == [
        "added: hook (webhook to https://hook.example/in)",
        "  signed with 5ec2e7",
        "next: mailmum alerts test hook",
    ]
    service.run("alerts", "add", "boss", "boss@example.net", "--report")
    assert service.asked[-1].json["kind"] == "email"
    assert service.asked[-1].json["reports"] is True


def test_whom_nobody_can_tell(service: Service) -> None:
    """What is neither kind of target is never sent."""
    done = service.run("alerts", "add", "night", "oncall")
    assert (done.exit_code, service.asked) == (1, [])
    assert "oncall is neither an e-mail address nor a URL; write for example" in done.stderr


def test_editing(service: Service) -> None:
    """What is not named is not sent."""
    place = f"{PLACE}/channels/on%20call"
    edited = CHANNEL | {"name": "on call", "least": "critical", "kinds": [], "reports": True}
    service.on("PATCH", place, answer(edited))
    done = service.run("alerts", "edit", "on call", "--target", "https://hook.example/in")
    assert service.asked[-1].json == {"target": "https://hook.example/in"}
    assert done.stdout.splitlines() == [
        "changed: on call (webhook to https://hook.example/in, critical, with the weekly report)",
        "next: mailmum alerts test 'on call'",
    ]
    service.run("alerts", "edit", "on call", "--all-kinds", "--no-report", "--name", "nights")
    assert service.asked[-1].json == {"kinds": [], "reports": False, "name": "nights"}
    service.run("alerts", "edit", "on call", "--kind", "spike", "--report", "--least", "warning")
    assert service.asked[-1].json == {"kinds": ["spike"], "reports": True, "least": "warning"}
    told = service.run("alerts", "edit", "on call", "--report", "--json").stdout
    assert json.loads(told) == edited


@pytest.mark.parametrize("words", [[], ["--kind", "spike", "--all-kinds"]])
def test_edits_that_are_none(service: Service, words: list[str]) -> None:
    """A mistake in usage; nothing is asked."""
    assert service.run("alerts", "edit", "hook", *words).exit_code == 2
    assert service.asked == []


def test_a_new_key(service: Service) -> None:
    """It is printed, since its receiver has to know it."""
    service.on("POST", f"{PLACE}/channels/hook/rotate-key", answer(CHANNEL))
    done = service.run("alerts", "rotate-key", "hook")
    assert done.stdout == "new key: hook is signed with 5ec2e7\n"
    assert json.loads(service.run("alerts", "rotate-key", "hook", "--json").stdout) == CHANNEL


def test_a_test_that_was_not_taken(service: Service) -> None:
    """It ends with 1 and the reason, with --json too."""
    failed = {"sent": False, "error": "127.0.0.1:25: [Errno 111] Connection refused"}
    service.on("POST", f"{PLACE}/channels/on%20call/test", answer(failed))
    done = service.run("alerts", "test", "on call")
    assert done.exit_code == 1
    assert "Connection refused" in done.stderr
    assert "mailmum alerts edit 'on call'" in done.stderr
    service.on("POST", f"{PLACE}/channels/on%20call/test", answer({"sent": True, "error": ""}))
    done = service.run("alerts", "test", "on call")
    assert (done.exit_code, done.stdout) == (0, "sent: the other side has taken it\n")


def test_channels_and_how_they_fare(service: Service) -> None:
    """What fails, was ended or was never used shows."""
    moment = "2026-11-27T11:05:00Z"
    found = [
        CHANNEL,
        CHANNEL | {"last_tried": moment, "last_error": "it answers 503"},
        CHANNEL | {"last_tried": moment},
        CHANNEL | {"stopped": moment},
    ]
    service.on("GET", f"{PLACE}/channels", answer({"channels": found}))
    lines = service.run("alerts", "channels").stdout.splitlines()
    assert [line.split("\t")[-1] for line in lines[1:]] == [
        "not used yet",
        "fails: it answers 503",
        "sent at 2026-11-27 11:05:00 UTC",
        "ended by its receiver at 2026-11-27 11:05:00 UTC",
    ]


def test_habits(service: Service) -> None:
    """What is not named stays as it is; numbers are numbers."""
    service.on("GET", f"{PLACE}/habits", answer(HABITS))
    service.on("PUT", f"{PLACE}/habits", answer(HABITS))
    service.run("alerts", "habits", "quiet_from=22:00", "quiet_until=07:00", "digest=300")
    assert service.asked[-1].json == {
        **HABITS,
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "digest": 300,
    }
    count = len(service.asked)
    assert "digest\t60" in service.run("alerts", "habits").stdout
    assert [one.method for one in service.asked[count:]] == ["GET"]


def test_times_of_day_in_another_zone(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets them where no zone was chosen, and whose machine has another, is told so."""
    service.on("GET", f"{PLACE}/habits", answer(HABITS))
    service.on("PUT", f"{PLACE}/habits", answer(HABITS))
    quiet = ["alerts", "habits", "quiet_from=22:00", "quiet_until=07:00"]
    monkeypatch.setenv("TZ", "Europe/Berlin")
    told = service.run(*quiet).stderr
    assert "that is in UTC" in told
    assert "mailmum alerts habits zone=Europe/Berlin" in told
    for words in ([*quiet, "zone=UTC"], ["alerts", "habits", "digest=9"], ["alerts", "habits"]):
        assert service.run(*words).stderr == ""
    service.on("PUT", f"{PLACE}/habits", answer(HABITS | {"zone": "Asia/Tokyo"}))
    assert service.run(*quiet).stderr == ""
    monkeypatch.setenv("TZ", "UTC")
    service.on("PUT", f"{PLACE}/habits", answer(HABITS))
    assert service.run(*quiet).stderr == ""


@pytest.mark.parametrize("word", ["digest", "digest=soon", "colour=red", "digest=12345678901"])
def test_habits_that_are_none(service: Service, word: str) -> None:
    """A mistake in usage, told before anything is changed."""
    service.on("GET", f"{PLACE}/habits", answer(HABITS))
    assert service.run("alerts", "habits", word).exit_code == 2
    assert {one.method for one in service.asked} == {"GET"}


def test_a_report(service: Service) -> None:
    """As text, line by line; as JSON without it."""
    made = {"account": "main", "headline": "Nothing.", "text": "MailMum\n\nNothing.\x1b[2J"}
    service.on("GET", f"{PLACE}/report", answer(made))
    done = service.run("alerts", "report", "--days", "3")
    assert done.stdout.splitlines()[:2] == ["MailMum", ""]
    assert "\x1b" not in done.stdout
    assert service.asked[-1].query == {"days": "3"}
    assert "text" not in json.loads(service.run("alerts", "report", "--json").stdout)


def test_seen_and_removed(service: Service) -> None:
    """In a line each."""
    service.on("POST", f"{PLACE}/7/acknowledge", answer(ALERT))
    assert service.run("alerts", "acknowledge", "7").stdout.startswith("acknowledged: 412 failed")
    service.on("DELETE", f"{PLACE}/channels/hook", Answer(204))
    assert service.run("alerts", "remove", "hook").stdout == "removed: hook\n"
    service.on("DELETE", f"{PLACE}/channels/hook", error("not-found", "no channel", status=404))
    assert service.run("alerts", "remove", "hook").exit_code == 1
    assert service.run("alerts", "remove", "../habits").exit_code == 1
