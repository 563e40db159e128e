"""`mailmum up --demo`: ready with a week of traffic, marked on every page, and nobody else's."""

from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.service import Service, make_service


def page(made: Service, path: str) -> str:
    """A page that anybody may see."""
    with closing(HTTPConnection(made.web, timeout=30)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def targets(made: Service, *command: str) -> set[str]:
    """What the answers of a command are about."""
    return {one["target"] for one in made.json(*command)}


def test_the_demo(tmp_path: Path) -> None:
    """Two accounts, four servers, traffic from logs and the DNS that runs, and what comes of it."""
    made = make_service(tmp_path, "--demo", sqlite=True, empty=True)
    with made.up():
        accounts = made.json("account", "list")
        assert [(one["name"], one["servers"]) for one in accounts] == [
            ("office.example", 3),
            ("shop.example", 1),
        ]
        assert made.json("sightings", "--source", "log", "--limit", "5")
        made.eventually(lambda: bool(made.json("server", "show", "mx1")["last_query"]))
        assert made.json("explain", "203.0.113.7")["verdict"] == "block"
        assert len(made.json("requests", "list")) == 1
        listed = {"198.51.100.201", "2001:db8:feed::7"}
        made.eventually(lambda: listed <= targets(made, "listings"))
        assert {one["state"] for one in made.json("feed", "list")} == {"held", "failing", "ok"}
        assert {one["mode"] for one in made.json("trigger", "list")} == {"enforce", "observe"}
        # What the worker makes of it, once it has ranked the worst.
        made.eventually(lambda: len(made.json("alerts", "list")) >= 3, 60)
        suggested = {"198.51.100.64/27", "192.0.2.40"}
        made.eventually(lambda: targets(made, "suggestions", "list") == suggested, 60)
        assert "are made up" in page(made, "/accounts/login/")
        assert "are made up" in page(made, urlsplit(made.sign_in_link()).path)
    # Started again without the option it is still a demo, and nothing is made twice.
    made.options = ()
    with made.up():
        assert len(made.json("account", "list")) == 2
        assert "are made up" in page(made, "/accounts/login/")


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """What is real never gets what is made up."""
    made = make_service(tmp_path, sqlite=True)
    with made.up():
        made.run("server", "add", "mx1")
        assert "are made up" not in page(made, "/accounts/login/")
    refused = made.run("up", "--demo", "--data", str(made.data), status=1)
    assert "wants a folder and a database of its own" in refused.stderr
    assert not (made.data / "demo").exists()
