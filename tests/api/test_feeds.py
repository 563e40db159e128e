"""Feeds over the API: what comes back, and what is refused."""

import json
from typing import Any

import pytest

from mailmum.control.config import current
from mailmum.control.feeds import fetching
from mailmum.control.servers.services import add_server
from mailmum.daemons.outgoing import Outgoing
from mailmum.domain.reachable import parse_reachable
from tests.api.conftest import Caller, Callers
from tests.control.monitor import conftest
from tests.control.monitor.kit import Traffic
from tests.support.world import World

traffic = conftest.traffic


def put(name: str, *lines: str) -> None:
    """Put a file into the folder of feeds."""
    folder = current().data / "feeds"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")


def test_the_life_of_a_feed(api: Callers) -> None:
    """Added, refreshed, held back, dropped, paused, removed; explained on the way."""
    put("life.txt", *(f"203.0.113.{number}" for number in range(100)), "10.0.0.1")
    wanted = {"name": "life", "source": "life.txt", "reason": "In a list", "code": "127.0.0.9"}
    status, made = api.admin("POST", "/feeds", wanted)
    assert (status, made["kind"], made["state"], made["versions"]) == (201, "file", "waiting", [])
    status, body = api.admin("POST", "/feeds/life/refresh", {})
    assert (body["outcome"], body["entries"], body["state"]) == ("current", 100, "ok")
    assert body["versions"][0]["left_out"] == {"is in private space": 1}
    told = api.viewer("GET", "/explain", client="203.0.113.7")[1]
    assert (told["verdict"], told["because"]["origin"]) == ("block", "life")
    assert told["because"]["id"] == -made["id"]
    put("life.txt", "203.0.113.1")
    assert api.admin("POST", "/feeds/life/refresh", {})[1]["outcome"] == "held"
    assert api.admin("POST", "/feeds/life/release", {"drop": True})[1]["state"] == "ok"
    assert api.admin("POST", "/feeds/life/pause", {})[1]["state"] == "paused"
    assert api.viewer("GET", "/explain", client="203.0.113.7")[1]["verdict"] == "none"
    assert api.admin("POST", "/feeds/life/resume", {})[1]["state"] == "ok"
    assert api.admin("DELETE", "/feeds/life") == (200, {"removed": "life"})
    assert api.viewer("GET", "/feeds")[1] == {"feeds": []}
    what = [record["what"] for record in api.viewer("GET", "/journal")[1]["records"]]
    assert what[:6] == [
        "feed.remove",
        "feed.resume",
        "feed.pause",
        "feed.drop",
        "feed.version",
        "feed.add",
    ]


def test_a_feed_is_changed(api: Callers, world: World) -> None:
    """What is left out stays; another action empties it until it has been read again."""
    add_server(world.owner, "mx1")
    put("turn.txt", "203.0.113.7", "10.0.0.1")
    api.admin("POST", "/feeds", {"name": "turn", "source": "turn.txt", "reason": "In a list"})
    api.admin("POST", "/feeds/turn/refresh", {})
    wanted = {"every": "1h", "shrink": 10, "grow": 20, "server": "mx1"}
    status, body = api.admin("PATCH", "/feeds/turn", wanted)
    assert (status, {name: body[name] for name in ("every", "shrink", "grow", "scope")}) == (
        200,
        {"every": "1h", "shrink": 10, "grow": 20, "scope": "mx1"},
    )
    assert (body["entries"], body["reason"]) == (1, "In a list")
    body = api.admin("PATCH", "/feeds/turn", {"server": "", "action": "allow", "reason": ""})[1]
    assert (body["scope"], body["action"], body["reason"]) == ("account", "allow", "")
    assert (body["state"], body["entries"]) == ("waiting", 0)
    assert api.viewer("GET", "/explain", client="203.0.113.7")[1]["verdict"] == "none"
    assert api.admin("POST", "/feeds/turn/refresh", {})[1]["entries"] > 0
    assert api.viewer("GET", "/explain", client="203.0.113.7")[1]["verdict"] == "allow"
    before = api.viewer("GET", "/journal")[1]["records"][0]["seq"]
    api.admin("PATCH", "/feeds/turn", {"every": "1h"})
    records = api.viewer("GET", "/journal")[1]["records"]
    assert records[0]["seq"] == before
    assert [one["what"] for one in records].count("feed.set") == 2


def test_the_code_of_a_feed_is_changed(api: Callers) -> None:
    """To another, and back to the one of all feeds; no other change touches it."""
    api.admin("POST", "/feeds", {"name": "coded", "code": "127.0.0.9"})

    def changed(**given: Any) -> str | None:
        status, body = api.admin("PATCH", "/feeds/coded", given)
        assert status == 200
        code: str | None = body["code"]
        return code

    assert changed(code="127.0.0.11") == "127.0.0.11"
    assert changed(every="1h") == "127.0.0.11"
    assert changed(code="") is None
    assert changed(code="127.0.0.12") == "127.0.0.12"
    assert changed(code=None) is None
    status, body = api.admin("PATCH", "/feeds/coded", {"code": "10.0.0.1"})
    assert (status, body["error"]["field"]) == (422, "code")


def test_what_a_feed_cannot_become(api: Callers) -> None:
    """Uploads and providers keep their action; others see nothing of it."""
    api.admin("POST", "/feeds", {"name": "mine"})
    api.admin("POST", "/feeds", {"name": "P", "kind": "spf", "source": "a.example", "use": "warn"})
    assert api.admin("PATCH", "/feeds/mine", {"action": "allow"})[0] == 422
    assert api.admin("PATCH", "/feeds/P", {"action": "block"})[0] == 422
    assert api.admin("PATCH", "/feeds/mine", {"every": "1s"})[1]["error"]["field"] == "every"
    assert api.admin("PATCH", "/feeds/mine", {"server": "nowhere"})[0] == 404
    assert api.admin("PATCH", "/feeds/none", {"every": "1h"})[0] == 404
    assert api.viewer("PATCH", "/feeds/mine", {"every": "1h"})[0] == 403
    assert api.outsider("PATCH", "/feeds/mine", {"every": "1h"})[0] == 404


def test_an_upload_is_read_by_its_name(api: Callers) -> None:
    """The body is the list."""
    api.admin("POST", "/feeds", {"name": "mine"})
    body: Any = "target,action\n192.0.2.1,block\n192.0.2.2,block\n"
    response = api.admin.raw("POST", "/feeds/mine/upload", body, filename="list.csv")
    assert response.status_code == 200
    shown = api.viewer("GET", "/feeds/mine")[1]
    assert (shown["entries"], shown["versions"][0]["format"]) == (2, "csv")


def test_a_look_at_a_list_that_is_handed_in(api: Callers, traffic: Traffic) -> None:
    """What it would bring and whom that would have hit; nothing is kept, nor told to others."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    body: Any = "198.51.100.0/24\n192.0.2.25\n10.0.0.1\n"
    path = "/feeds/preview/upload"

    def looked(caller: Caller, **query: str) -> Any:
        return json.loads(b"".join(caller.raw("POST", path, body, **query)))

    found = looked(api.admin, filename="a.txt")
    assert (found["entries"], found["sample"], found["format"]) == (1, ["198.51.100.0/24"], "plain")
    assert (found["left_out"], found["own_servers"]) == ({"is in private space": 1}, ["192.0.2.25"])
    impact = found["impact"]
    assert (impact["verdict"], impact["accepted"]) == ("dangerous", 12)
    assert impact["hits"][0]["client"] == "198.51.100.201"
    assert looked(api.admin, action="allow", server="mx1")["impact"] is None
    for query, field in (({"format": "xml"}, "format"), ({"server": "mx9"}, "server")):
        assert looked(api.admin, **query)["error"]["field"] == field
    assert api.viewer("GET", "/feeds")[1] == {"feeds": []}
    assert api.viewer.raw("POST", path, body).status_code == 403
    other = looked(api.outsider)
    assert (other["entries"], other["impact"]["contacts"]) == (2, 0)
    told = api.admin("POST", "/feeds/preview", {"name": "mine"})[1]["error"]
    assert path in told["fix"]


def test_a_look_at_what_would_renew_a_feed(api: Callers, traffic: Traffic) -> None:
    """Read as the renewal reads it: what would come and go, and whom it would hit."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    assert api.admin("POST", "/feeds", {"name": "mine", "server": "mx1"})[0] == 201
    body: Any = "target\n203.0.113.7\n.spam.example\n.old.example\n"
    api.admin.raw("POST", "/feeds/mine/upload", body, filename="a.csv")

    def looked(caller: Caller, body: Any, path: str = "/feeds/mine/preview") -> Any:
        return json.loads(b"".join(caller.raw("POST", path, body, filename="a.csv")))

    body = "target\n203.0.113.7\n.spam.example\n198.51.100.0/24\n192.0.2.25\n.new.example\n"
    found = looked(api.admin, body)
    assert (found["added"], found["removed"], found["format"]) == (2, 1, "csv")
    assert (found["sample_added"], found["sample_removed"]) == (
        ["198.51.100.0/24", ".new.example"],
        [".old.example"],
    )
    assert (found["entries"], found["own_servers"]) == (4, ["192.0.2.25"])
    assert (found["impact"]["accepted"], found["impact"]["verdict"]) == (12, "dangerous")
    assert api.viewer("GET", "/feeds/mine")[1]["entries"] == 3
    api.admin.raw("POST", "/feeds/mine/upload", body, filename="a.csv")
    version = api.viewer("GET", "/feeds/mine")[1]["versions"][0]
    assert (version["added"], version["removed"]) == (2, 1)
    same = looked(api.admin, body)
    assert (same["added"], same["removed"], same["sample_added"]) == (0, 0, [])
    api.admin("POST", "/feeds", {"name": "friends", "action": "allow"})
    friends = looked(api.admin, body, "/feeds/friends/preview")
    assert (friends["added"], friends["removed"], friends["impact"]) == (4, 0, None)
    assert looked(api.outsider, body)["error"]["code"] == "not-found"
    api.admin("POST", "/feeds", {"name": "drop", "source": "https://lists.example/"})
    assert "refresh it instead" in looked(api.admin, body, "/feeds/drop/preview")["error"]["fix"]


def test_a_look_reads_what_would_renew_a_feed_as_the_renewal_does(api: Callers) -> None:
    """Which knows the format: a line that is none makes a new list unclear, and no renewal."""
    api.admin("POST", "/feeds", {"name": "mine"})
    nets = [f"198.51.100.{number}" for number in range(200)]
    good, odd = (_lines(*lines) for lines in (nets, ["as of today", *nets]))

    def answer(path: str, body: Any) -> Any:
        return json.loads(b"".join(api.admin.raw("POST", path, body)))

    assert answer("/feeds/mine/upload", good)["outcome"] == "current"
    assert answer("/feeds/preview/upload", odd)["error"]["field"] == "format"
    found = answer("/feeds/mine/preview", odd)
    assert (found["entries"], found["bad"], found["added"], found["removed"]) == (200, 1, 0, 0)
    assert api.viewer.raw("POST", "/feeds/mine/preview", good).status_code == 403


def _lines(*lines: str) -> Any:
    return "\n".join(lines)


def test_a_feed_that_cannot_be_had_says_why(api: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is not reached: it is refused, and a feed that had reached it stays, failing."""
    inside = {"name": "inside", "source": "https://127.0.0.1/list"}
    for path in ("/feeds", "/feeds/preview"):
        status, body = api.admin("POST", path, inside)
        assert (status, body["error"]["code"]) == (422, "unsafe-address")
    with monkeypatch.context() as once:
        once.setattr(fetching, "outgoing", lambda: Outgoing(reach=parse_reachable("127.0.0.1")))
        api.admin("POST", "/feeds", inside)
    status, body = api.admin("POST", "/feeds/inside/refresh", {})
    assert (status, body["outcome"], body["state"]) == (200, "failed", "failing")
    assert "is in loopback space" in body["told"]


def test_a_provider_is_only_protected_unless_something_else_is_said(api: Callers) -> None:
    """Nothing of it is allowed by leaving out what it is for; as on pages and command line."""
    wanted = {"kind": "spf", "source": "webmail.example"}
    for use, made in ((None, "except"), ("", "except"), ("list", "list"), ("warn", "warn")):
        given = wanted | {"name": f"as {use}"} | ({} if use is None else {"use": use})
        assert api.admin("POST", "/feeds", given)[1]["use"] == made
    assert api.admin("POST", "/feeds", {"name": "mine"})[1]["use"] == "list"


def test_providers_are_feeds_of_their_kind(api: Callers) -> None:
    """They are listed apart, and well-known ones are proposed."""
    wanted = {"name": "Google", "kind": "spf", "source": "_spf.google.com", "use": "except"}
    status, made = api.admin("POST", "/feeds", wanted)
    assert (status, made["action"], made["use"]) == (201, "allow", "except")
    api.admin("POST", "/feeds", {"name": "mine"})
    found = api.viewer("GET", "/feeds", kind="spf")[1]["feeds"]
    assert [one["name"] for one in found] == ["Google"]
    proposed = api.viewer("GET", "/providers")[1]["providers"]
    assert {"name": "Google", "domain": "_spf.google.com"} in proposed


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": "x", "source": "http://lists.example/"}, "source"),
        ({"name": "x", "source": "../mailmum.toml"}, "source"),
        ({"name": "x", "kind": "spf", "source": "not a name"}, "source"),
        ({"name": "x", "kind": "spf", "source": "a.example", "action": "block"}, "action"),
        ({"name": "x", "server": "mx9"}, "server"),
        ({"name": "x", "shrink": 101}, "shrink"),
        ({"name": "preview"}, "name"),
    ],
)
def test_wishes_that_are_refused(api: Callers, wanted: dict[str, Any], field: str) -> None:
    """With the field at fault."""
    status, body = api.admin("POST", "/feeds", wanted)
    assert status in (404, 422)
    assert body["error"]["field"] == field
