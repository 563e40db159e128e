"""Commands that run in this process: what they hand to the control plane, and its refusals."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailmum.cli.main import cli
from mailmum.control.config import Overrides
from mailmum.control.parts import NAMES
from mailmum.domain.errors import Refusal


class Runtime(ModuleType):
    """Stands for the control plane: keeps what it was called with."""

    def __init__(self) -> None:
        super().__init__("mailmum.control.runtime")
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.results: dict[str, Any] = {"up": 0}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*given: Any, **named: Any) -> Any:
            self.calls.append((name, given, named))
            result = self.results.get(name)
            if isinstance(result, Exception):
                raise result
            return result

        return call


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """The control plane."""
    made = Runtime()
    monkeypatch.setitem(sys.modules, "mailmum.control.runtime", made)
    monkeypatch.setattr("mailmum.control.runtime", made, raising=False)
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder on which a service was started."""
    (tmp_path / "mailmum.toml").write_text('zone = "rbl.example.net"\n')
    (tmp_path / "cli.json").write_text('{"url": "http://127.0.0.1:8099", "token": "mm_x"}')
    return tmp_path


def run(*words: str, data: Path | None = None) -> Result:
    """Run the command."""
    env = {"MAILMUM_DATA": None, "MAILMUM_URL": None, "MAILMUM_TOKEN": None}
    option = ("--data", str(data)) if data else ()
    return CliRunner().invoke(cli, [*words, *option], env=env, catch_exceptions=False)


def test_logs_are_named_from_the_root(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts run elsewhere perhaps; the journal is no path."""
    monkeypatch.chdir(tmp_path)
    words = ("--log", "mx1=mail.log", "--log", "/var/log/a=b", "--log", "mx2=journal")
    assert run("up", *words, "--log", "journal:/srv", data=tmp_path).exit_code == 0
    given = runtime.calls[0][1][0]
    assert given.logs == (f"mx1={tmp_path}/mail.log", "/var/log/a=b", "mx2=journal", "journal:/srv")
    assert given.environment()["MAILMUM_LOGS"] == ",".join(given.logs)


@pytest.mark.parametrize(
    ("verb", "function", "part"),
    [
        ("up", "up", ()),
        *((name, "run_part", (name,)) for name in NAMES),
        ("migrate", "migrate", ()),
    ],
)
def test_options_become_overrides(
    runtime: Runtime, tmp_path: Path, verb: str, function: str, part: tuple[str, ...]
) -> None:
    """All parts take the same; what was left out is None."""
    words = "--zone rbl.example.net --web 127.0.0.1:1 --dns 127.0.0.1:2 --dns [::1]:3"
    more = "--dns-workers 2 --policy 127.0.0.1:4 --json"
    assert run(verb, *words.split(), *more.split(), data=tmp_path).exit_code == 0
    assert run(verb, data=tmp_path).exit_code == 0
    full = Overrides(
        data=tmp_path,
        zone="rbl.example.net",
        web="127.0.0.1:1",
        dns=("127.0.0.1:2", "[::1]:3"),
        policy="127.0.0.1:4",
        dns_workers=2,
        log_format="json",
    )
    more_given = {"demo": False} if verb == "up" else {}
    assert runtime.calls == [
        (function, (*part, full), more_given),
        (function, (*part, Overrides(tmp_path)), more_given),
    ]


def test_without_a_folder_it_is_data_here(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what MAILMUM_DATA names."""
    monkeypatch.chdir(tmp_path)
    run("up")
    CliRunner().invoke(cli, ["up"], env={"MAILMUM_DATA": "/srv/mailmum"})
    folders = [given[0].data for _, given, _ in runtime.calls]
    assert folders == [Path("data"), Path("/srv/mailmum")]


def test_a_refusal_to_start_is_told_with_its_fix(runtime: Runtime, tmp_path: Path) -> None:
    """Exit status 1 and one line, which the supervisor looks for too."""
    runtime.results["run_part"] = Refusal("port 1 is in use", fix="choose another")
    result = run("web", data=tmp_path)
    assert (result.exit_code, result.stderr) == (
        1,
        "mailmum: port 1 is in use; choose another\n",
    )


def test_account_add_prints_the_link(runtime: Runtime, data: Path) -> None:
    """It leads to where the pages were last served."""
    runtime.results["account_add"] = "http://127.0.0.1:8099/enter/x/"
    result = run("account", "add", "acme", "--owner", "owner@example.net", data=data)
    assert result.stdout.startswith("sign in once with http://127.0.0.1:8099/enter/x/")
    [(_, given, _)] = runtime.calls
    assert given == (Overrides(data, web="127.0.0.1:8099"), "acme", "owner@example.net")


def test_account_link_as_json(runtime: Runtime, data: Path) -> None:
    """For scripts that send it on."""
    runtime.results["sign_in_link"] = "http://127.0.0.1:8099/enter/x/"
    result = run("account", "link", "owner@example.net", "--json", data=data)
    assert json.loads(result.stdout)["link"] == "http://127.0.0.1:8099/enter/x/"


def test_account_list(runtime: Runtime, data: Path) -> None:
    """Accounts with their people and servers."""
    people = [{"email": "owner@example.net", "role": "owner"}]
    found = [{"name": "main", "people": people, "servers": 2}]
    runtime.results["account_list"] = found
    lines = run("account", "list", data=data).stdout.splitlines()
    assert lines[1] == "main\towner@example.net (owner)\t2"
    assert json.loads(run("account", "list", "--json", data=data).stdout) == found


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [((), 90 * 86400), (("--for", "1d"), 86400), (("--for", "never"), None)],
)
def test_account_token(
    runtime: Runtime, data: Path, lifetime: tuple[str, ...], seconds: int | None
) -> None:
    """Reads only unless asked for more, and ends unless asked for ever."""
    runtime.results["token_add"] = "mm_secret"
    words = ("account", "token", "owner@example.net", "--account", "main", "--name", "cron")
    assert run(*words, *lifetime, data=data).stdout == "mm_secret\n"
    run(*words, *lifetime, "--scope", "write", data=data)
    named = [call[2] for call in runtime.calls]
    assert named == [
        {"scope": scope, "lifetime": seconds, "server": ""} for scope in ("read", "write")
    ]


def test_account_token_for_logs(runtime: Runtime, data: Path) -> None:
    """Of one server."""
    runtime.results["token_add"] = "mm_secret"
    words = ("account", "token", "owner@example.net", "--account", "main", "--name", "mx1")
    run(*words, "--scope", "ship", "--server", "mx1", "--for", "never", data=data)
    assert runtime.calls[0][2] == {"scope": "ship", "lifetime": None, "server": "mx1"}


def test_a_lifetime_that_is_none_is_refused(runtime: Runtime, data: Path) -> None:
    """Before anything is made."""
    words = ("account", "token", "owner@example.net", "--account", "main", "--name", "cron")
    result = run(*words, "--for", "soon", data=data)
    assert result.exit_code == 1
    assert "soon is no length of time" in result.stderr
    assert runtime.calls == []


@pytest.mark.parametrize(
    "verb", [("list",), ("link", "a@example.net"), ("add", "x", "--owner", "y")]
)
def test_a_mistyped_folder_does_not_become_a_service(
    runtime: Runtime, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    """Only `up` and `migrate` make one."""
    result = run("account", *verb, data=tmp_path / "typo")
    assert result.exit_code == 1
    assert "no service was ever started on" in result.stderr
    assert runtime.calls == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"url": 7}',
        '{"url": "https://rbl.example.net"}',
        '{"url": "http://127.0.0.1:99999"}',
    ],
)
def test_without_a_usable_address_the_parameters_hold(
    runtime: Runtime, data: Path, content: str
) -> None:
    """A damaged credential does not stand in the way of a new link."""
    (data / "cli.json").write_text(content)
    run("account", "link", "owner@example.net", data=data)
    assert runtime.calls[0][1][0] == Overrides(data)
