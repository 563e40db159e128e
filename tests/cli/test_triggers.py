"""`trigger presets | list | add | show | edit | remove | test | findings | clear | resume`."""

import json
from typing import Any

import pytest

from tests.cli.service import Service, answer, error, lines

PATH = "/api/v1/triggers"


def trigger(name: str = "guesses", **more: Any) -> dict[str, Any]:
    """A trigger as the API shows it."""
    return {
        "name": name,
        "mode": "enforce",
        "says": "10 failed logins within 1 h from one address: listed for 1 day",
        "in_force": 2,
        "counting": True,
        "traps": [],
        "merge": 5,
        "quiet": "30d",
        "accepted": 5,
        "days": 60,
        "brake": 50,
        "brake_window": "10m",
        "reason": "Guessed",
        "note": "",
        "stopped": None,
        "stopped_why": "",
        **more,
    }


def report(**more: Any) -> dict[str, Any]:
    """A report of a backtest."""
    return {
        "since": "2026-10-28T10:00:00Z",
        "until": "2026-11-27T10:00:00Z",
        "known_since": "2026-10-28T10:00:00Z",
        "exact_since": "2026-11-13T00:00:00Z",
        "rows": 1200,
        "seconds": 0.21,
        "listings": 12,
        "targets": 11,
        "contacts": 480,
        "turned_away": 300,
        "accepted": 2,
        "hit": 1,
        "spared": 3,
        "weighed": 12,
        "brake": "2026-11-20T10:00:00Z",
        "brake_exact": False,
        "hits": [{"client": "192.0.2.9", "target": "192.0.2.0/24", "accepted": 2}],
        "listed": [
            {
                "begin": f"2026-11-20T09:00:0{last}Z",
                "exact": last > 0,
                "target": f"203.0.113.{last}",
                "says": "12 ...",
            }
            for last in (0, 7)
        ],
        "spared_targets": [
            {
                "target": f"198.51.100.{last}",
                "when": "2026-11-20T09:00:00Z",
                "exact": last > 7,
                "reason": f"is allowed by 198.51.100.{last}",
                "times": times,
            }
            for last, times in ((7, 1), (8, 1200), (9, 1))
        ],
        **more,
    }


def test_list(service: Service) -> None:
    """A line each; one that its brake stopped says so."""
    found = [trigger(), trigger("flood", stopped="2026-11-27T10:00:00Z", in_force=1234)]
    service.on("GET", PATH, answer({"triggers": found}))
    rows = [line.split("\t") for line in service.run("trigger", "list").stdout.splitlines()]
    assert rows[1][:3] == ["guesses", "enforce", "2"]
    assert rows[2][:3] == ["flood", "enforce, stopped", "1,234"]
    assert json.loads(service.run("trigger", "list", "--json").stdout) == found


def test_nothing_yet_points_to_the_presets(service: Service) -> None:
    """And these are listed with what they do."""
    service.on("GET", PATH, answer({"triggers": []}))
    assert "mailmum trigger presets" in service.run("trigger", "list").stderr
    preset = {"name": "two-lists", "says": "2 different public lists"}
    service.on("GET", f"{PATH}/presets", answer({"presets": [preset]}))
    assert "two-lists\t2 different" in service.run("trigger", "presets").stdout


def test_add_sends_what_was_given_and_nothing_else(service: Service) -> None:
    """What is left out has its default at the service."""
    service.on("POST", PATH, answer(trigger(mode="off"), 201))
    result = service.run(
        *("trigger", "add", "guesses", "--preset", "password-guessing", "--threshold", "5"),
        *("--within", "30m", "--list", "a.example", "--list", "b.example", "--for", "2d"),
    )
    assert result.exit_code == 0
    assert service.asked[0].json == {
        "name": "guesses",
        "preset": "password-guessing",
        "threshold": 5,
        "window": "30m",
        "lists": ["a.example", "b.example"],
        "lifetime": "2d",
    }
    assert "next: mailmum trigger test guesses" in result.stdout


def test_show_tells_how_it_stands(service: Service) -> None:
    """All that keeps it from doing harm; of one that is stopped, why and what next."""
    stopped = {"stopped": "2026-11-27T10:00:00Z", "stopped_why": "it would list more than 50"}
    service.on("GET", f"{PATH}/guesses", answer(trigger(**stopped)))
    result = service.run("trigger", "show", "guesses")
    assert "trigger guesses: enforce, stopped, 2 listings in force" in result.stdout
    assert "spares who delivered 5 accepted messages in 60 days" in result.stdout
    assert "stops itself at more than 50 listings in 10 min" in result.stdout
    assert "it would list more than 50; look at them: mailmum trigger findings" in result.stderr
    assert "whom it would have listed" not in result.stdout
    service.on("GET", f"{PATH}/guesses", answer(trigger(mode="observe", in_force=0)))
    told = service.run("trigger", "show", "guesses").stdout.splitlines()
    assert told[-1] == "whom it would have listed: mailmum trigger findings guesses"


def test_edit_needs_something_to_change(service: Service) -> None:
    """Usage, before anything is asked."""
    result = service.run("trigger", "edit", "guesses")
    assert (result.exit_code, service.asked) == (2, [])
    service.on("PATCH", f"{PATH}/guesses", answer(trigger()))
    service.run("trigger", "edit", "guesses", "--mode", "observe", "--merge", "0")
    assert service.asked[0].json == {"mode": "observe", "merge": 0}


def test_remove_clear_and_resume(service: Service) -> None:
    """With its listings only when that is said."""
    gone = {"removed": "guesses", "listings": 2, "change": 9}
    service.on("DELETE", f"{PATH}/guesses", answer(gone))
    assert service.run("trigger", "remove", "guesses").stdout == "removed: trigger guesses\n"
    result = service.run("trigger", "remove", "guesses", "--listings")
    assert result.stdout == "removed: trigger guesses with 2 listings\n"
    assert [one.query for one in service.asked] == [{}, {"listings": "1"}]
    service.on("POST", f"{PATH}/guesses/clear", answer({"listings": 2, "change": 9}))
    result = service.run("trigger", "clear", "guesses")
    assert result.stdout.splitlines() == [
        "removed: 2 listings of the trigger guesses in change 9",
        "to undo it: mailmum journal undo 9",
    ]
    service.on("POST", f"{PATH}/guesses/resume", answer(trigger()))
    assert service.run("trigger", "resume", "guesses").exit_code == 0


def test_findings(service: Service) -> None:
    """Who was listed and why, who was spared and why."""
    one = {"when": "2026-11-27T10:00:00Z", "target": "203.0.113.7", "says": "12 failed logins"}
    found = [
        {**one, "kind": "list", "reason": ""},
        {**one, "kind": "spare", "reason": "is allowed by 203.0.113.0/24"},
    ]
    service.on("GET", f"{PATH}/guesses/findings", answer({"findings": found, "next": None}))
    rows = service.run("trigger", "findings", "guesses").stdout.splitlines()
    assert rows[1].split("\t")[1:] == ["listed", "203.0.113.7", "12 failed logins"]
    assert rows[2].split("\t")[1:] == ["spared", "203.0.113.7", "is allowed by 203.0.113.0/24"]


def test_test_shows_what_would_have_been(service: Service) -> None:
    """Progress is not for standard output; whom it would hit is marked."""
    told = lines(
        {"progress": {"phase": "reading", "lines": 50, "total": 100}}, {"report": report()}
    )
    service.on("POST", f"{PATH}/backtest", told)
    result = service.run("trigger", "test", "guesses", "--history", "7")
    assert service.asked[0].json == {"name": "guesses", "history": 7}
    out = result.stdout
    assert result.exit_code == 0
    assert "listings made                             12" in out
    assert "! would hit 192.0.2.9 (in 192.0.2.0/24): 2 accepted messages" in out
    assert "the brake would have stopped it in the hour from 2026-11-20 10:00:00 UTC" in out
    assert "before 2026-11-13 00:00:00 UTC there are only counts by the hour" in out
    assert "\n  in the hour from 2026-11-20 09:00:00 UTC  203.0.113.0: 12 ..." in out
    assert "\n  2026-11-20 09:00:07 UTC  203.0.113.7: 12 ..." in out


def test_test_names_who_was_spared(service: Service) -> None:
    """The first of them, with the reason, how often, and how many more there are."""
    service.on("POST", f"{PATH}/backtest", lines({"report": report()}))
    out = service.run("trigger", "test", "guesses").stdout
    at = "2026-11-20 09:00:00 UTC"
    assert out.splitlines()[-3:] == [
        f"  in the hour from {at}  spared 198.51.100.7: is allowed by 198.51.100.7",
        f"  {at}  spared 198.51.100.8: is allowed by 198.51.100.8, 1,200 times",
        f"  {at}  spared 198.51.100.9: is allowed by 198.51.100.9",
    ]
    many = {"spared": 1234, "spared_targets": report()["spared_targets"] * 5}
    service.on("POST", f"{PATH}/backtest", lines({"report": report(**many)}))
    out = service.run("trigger", "test", "guesses").stdout
    assert out.count("spared 198.51.100.") == 10
    assert out.splitlines()[-1] == "  and 1,224 more were spared; --json has the first 50"


def test_test_says_how_much_of_the_time_is_known(service: Service) -> None:
    """Of a new installation little: that nothing would have been listed says little then."""
    out = {}
    for known in ("2026-10-28T10:00:00Z", "2026-11-26T00:00:00Z", None):
        service.on("POST", f"{PATH}/backtest", lines({"report": report(known_since=known)}))
        out[known] = service.run("trigger", "test", "guesses").stdout
    assert "nothing is known" not in out["2026-10-28T10:00:00Z"]
    assert "\n  nothing is known of before 2026-11-26 00:00:00 UTC\n" in out["2026-11-26T00:00:00Z"]
    assert "\n  nothing is known of this time: " in out[None]


def test_one_of_anything_is_no_many(service: Service) -> None:
    """Of counts, messages, listings and days; times are told as everywhere."""
    hits = [{"client": "192.0.2.9", "target": "192.0.2.9", "accepted": 1}]
    told = lines({"report": report(rows=1, hits=hits, seconds=0.04)})
    service.on("POST", f"{PATH}/backtest", told)
    out = service.run("trigger", "test", "guesses").stdout
    assert "UTC, 1 count in less than 0.1 s" in out
    assert "! would hit 192.0.2.9: 1 accepted message\n" in out
    one = trigger(accepted=1, days=1, brake=1, brake_window="1d", quiet="90m")
    service.on("GET", f"{PATH}/guesses", answer(one))
    assert service.run("trigger", "show", "guesses").stdout.splitlines()[3:6] == [
        "  forgiven after 1 h 30 min",
        "  spares who delivered 1 accepted message in 1 day",
        "  stops itself at more than 1 listing in 1 day",
    ]


def test_test_shows_both_side_by_side(service: Service) -> None:
    """The trigger as it is saved, and with the options that were given."""
    told = lines({"report": report(listings=12), "saved": report(listings=40)})
    service.on("POST", f"{PATH}/backtest", told)
    out = service.run("trigger", "test", "guesses", "--threshold", "20").stdout
    assert "saved   changed" in out
    assert "listings made                             40        12" in out
    told_json = json.loads(service.run("trigger", "test", "guesses", "--json").stdout)
    assert set(told_json) == {"report", "saved"}


def test_a_refusal_names_the_option(service: Service) -> None:
    """Where it is called otherwise than the field; nobody has to know what that is called."""
    refused = error("bad-input", "the window, 8d, is out of range", "give 1s to 1w", status=422)
    body = json.loads(refused.body)
    body["error"]["field"] = "window"
    for path, words in ((PATH, ("add", "x")), (f"{PATH}/backtest", ("test", "x"))):
        service.on("POST", path, answer(body, 422))
        result = service.run("trigger", *words, "--within", "8d")
        assert result.stderr.endswith("the window, 8d, is out of range; give 1s to 1w (--within)\n")
    assert service.run("trigger", "test", "x", "--history", "91").exit_code == 2


def test_test_that_fails(service: Service) -> None:
    """Whatever was wrong: exit 1 and the reason; without anything to try, usage."""
    assert service.run("trigger", "test").exit_code == 2
    body = {
        "problem": "soon is no length of time",
        "fix": "write 7d",
        "code": "bad-input",
        "field": "",
    }
    service.on("POST", f"{PATH}/backtest", lines({"error": {**body, "message": "x", "items": []}}))
    result = service.run("trigger", "test", "guesses")
    assert (result.exit_code, result.stderr) == (
        1,
        "mailmum: soon is no length of time; write 7d\n",
    )
    service.on("POST", f"{PATH}/backtest", lines({"progress": {}}))
    assert "broke off before its report" in service.run("trigger", "test", "guesses").stderr


@pytest.mark.parametrize("name", ["", "a/b", "..", "presets"])
def test_a_name_that_cannot_be_one_is_never_asked_for(service: Service, name: str) -> None:
    """It would name another resource of the API."""
    result = service.run("trigger", "show", name)
    assert (result.exit_code, service.asked) == (1, [])


def test_a_refusal_says_why(service: Service) -> None:
    """Exit 1 with the reason and the fix."""
    refused = error("not-found", "there is no trigger x", "see the list", status=404)
    service.on("GET", f"{PATH}/x", refused)
    result = service.run("trigger", "show", "x")
    assert (result.exit_code, result.stderr) == (
        1,
        "mailmum: there is no trigger x; see the list\n",
    )
