"""The command itself: quick to start, common options anywhere, one form of failure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mailmum.cli.main import VERBS, cli
from mailmum.domain.errors import Conflict
from tests.cli.service import Service, answer, error

COMMAND = (sys.executable, "-m", "mailmum")
HEAVY = ("django", "ninja", "rich", "urllib3", "pydantic", "structlog", "dns", "asyncio")


def loaded_by(*words: str) -> set[str]:
    """The top-level modules that a call has loaded when it ends."""
    program = f"""
import sys
from mailmum.cli.main import cli
try:
    cli({list(words)!r}, prog_name="mailmum")
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write(" ".join({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_help_loads_neither_django_nor_rich_nor_a_client() -> None:
    """Whatever only some verbs need is not loaded to list them."""
    loaded = loaded_by("--help")
    assert "click" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("verb", list(VERBS))
def test_help_of_each_verb_loads_no_django(verb: str) -> None:
    """Not even the verbs that run the service need it to describe themselves."""
    assert loaded_by(verb, "--help").isdisjoint({"django", "ninja", "pydantic", "rich"})


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    """Scripts call the command in loops.

    Processor time is measured: by the clock a busy machine would be measured, and an idle one
    takes no longer by the clock.
    """
    times = []
    for _ in range(5):
        process = subprocess.Popen([*COMMAND, "--help"], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        times.append(used.ru_utime + used.ru_stime)
    assert min(times) < 0.3


@pytest.mark.parametrize("verb", list(VERBS))
def test_the_line_of_help_is_the_verbs_own(verb: str) -> None:
    """The table that spares the import says the same as the verb."""
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert command.name == verb
    assert command.get_short_help_str(100) == VERBS[verb].help


def walk(
    command: click.Command, path: tuple[str, ...]
) -> list[tuple[tuple[str, ...], click.Command]]:
    """A command and those below it."""
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += walk(below, (*path, name))
    return found


def test_every_command_takes_data_and_json() -> None:
    """Groups and verbs alike."""
    for path, command in walk(cli, ("mailmum",)):
        names = {name for parameter in command.params for name in parameter.opts}
        assert {"--data", "--json"} <= names, path


def test_every_option_says_what_it_does() -> None:
    """Each command and each option has a help text."""
    for path, command in walk(cli, ("mailmum",)):
        assert command.help, path
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help or path, parameter


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "server", "list"),
        ("server", "--json", "list"),
        ("server", "list", "--json"),
        ("--json", "server", "list", "--json"),
    ],
)
def test_json_may_stand_anywhere(service: Service, words: tuple[str, ...]) -> None:
    """Before the verb, between, and after it."""
    service.on("GET", "/api/v1/servers", answer({"servers": []}))
    result = service.run(*words)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == []


@pytest.mark.parametrize("after", [False, True])
def test_data_may_stand_before_or_after_the_verb(
    service: Service, tmp_path: Path, *, after: bool
) -> None:
    """The folder's credential is used, not the environment's."""
    credential = {"url": service.url, "token": "mm_other"}
    (tmp_path / "cli.json").write_text(json.dumps(credential))
    service.on("GET", "/api/v1/servers", answer({"servers": []}))
    option, verb = ["--data", str(tmp_path)], ["server", "list"]
    result = service.run(*(verb + option if after else option + verb))
    assert result.exit_code == 0
    assert service.asked[0].headers["authorization"] == "Bearer mm_other"


def test_the_data_option_nearer_to_the_verb_counts(service: Service, tmp_path: Path) -> None:
    """Given twice, the later one is meant."""
    result = service.run("--data", str(tmp_path), "server", "--data", "/nonexistent/mm", "list")
    assert result.exit_code == 1
    assert "there is no folder /nonexistent/mm" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["blok", "192.0.2.1"], "There is no command blok. Did you mean block?"),
        (["zzz"], "There is no command zzz."),
        (["a\x1b[2Jb"], "There is no command a\\x1b[2Jb."),
        (["block"], "Missing argument"),
        (["block", "192.0.2.1", "--fro", "7d"], "No such option"),
        (["listings", "--action", "deny"], "'deny' is not one of"),
    ],
)
def test_wrong_usage_is_exit_status_2(service: Service, words: list[str], said: str) -> None:
    """The message stands on standard error, and the service is not asked."""
    result = service.run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert service.asked == []


def test_a_failure_says_problem_and_fix_on_standard_error(service: Service) -> None:
    """Exit status 1, `mailmum: problem; fix`, nothing on standard output."""
    refused = error("not-found", "there is no server mx9", "see: mailmum server list", status=404)
    service.on("GET", "/api/v1/servers/mx9", refused)
    result = service.run("server", "show", "mx9")
    assert result.exit_code == 1
    assert result.stderr == "mailmum: there is no server mx9; see: mailmum server list\n"
    assert result.stdout == ""


def test_a_failure_with_json_is_a_document_too(service: Service) -> None:
    """A script finds one JSON document on standard output, in the API's form."""
    refused = error("not-found", "there is no server mx9", "see: mailmum server list", status=404)
    service.on("GET", "/api/v1/servers/mx9", refused)
    result = service.run("server", "show", "mx9", "--json")
    assert result.exit_code == 1
    assert result.stderr.startswith("mailmum: there is no server mx9")
    assert json.loads(result.stdout) == json.loads(refused.body)


def test_a_refusal_inside_the_process_is_a_failure_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the domain refuses is told like what the service refuses."""

    def refuse(*_: object) -> None:
        raise Conflict("there is one already", fix="choose another name")

    monkeypatch.setattr("mailmum.cli.session.Session.client", refuse)
    result = service.run("server", "list", "--json")
    assert result.exit_code == 1
    assert result.stderr == "mailmum: there is one already; choose another name\n"
    assert json.loads(result.stdout)["error"]["code"] == "conflict"


def test_each_target_at_fault_is_named(service: Service) -> None:
    """Several targets: a line for each that is refused."""
    items = [
        {"target": "10.0.0.1", "problem": "10.0.0.1 is in private space", "fix": "use --force"},
        {"target": "x\x1b", "problem": "bad name", "fix": ""},
    ]
    refused = error("bad-input", "2 of 3 targets are refused", status=422, items=items)
    service.on("POST", "/api/v1/listings", refused)
    result = service.run("block", "10.0.0.1", "x", "192.0.2.1")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "mailmum: 2 of 3 targets are refused",
        "mailmum: 10.0.0.1: 10.0.0.1 is in private space; use --force",
        "mailmum: x\\x1b: bad name",
    ]


def test_very_many_targets_at_fault_do_not_flood(service: Service) -> None:
    """The first fifty and the number of the rest."""
    items = [{"target": f"t{n}", "problem": "bad", "fix": ""} for n in range(80)]
    refused = error("bad-input", "80 of 80 targets are refused", status=422, items=items)
    service.on("POST", "/api/v1/listings", refused)
    shown = service.run("block", "t").stderr.splitlines()
    assert len(shown) == 52
    assert shown[-1] == "mailmum: and 30 more; --json has all"


def test_version() -> None:
    """`--version` names program and version."""
    result = CliRunner().invoke(cli, ["--version"])
    assert result.stdout.split()[0] == "mailmum"
    assert result.exit_code == 0


def test_a_reader_that_goes_away_is_no_traceback(service: Service) -> None:
    """`mailmum listings | head` ends quietly."""
    page = {"listings": [listing(number) for number in range(1000)], "next": None}
    service.on("GET", "/api/v1/listings", answer(page))
    environment = {**os.environ, "MAILMUM_URL": service.url, "MAILMUM_TOKEN": "t"}
    environment.pop("MAILMUM_DATA", None)
    pipeline = f"{sys.executable} -m mailmum listings | head -1"
    done = subprocess.run(
        ["bash", "-c", pipeline], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("id\ttarget")
    assert done.stderr == ""


def listing(number: int) -> dict[str, object]:
    """A listing with long texts."""
    return {
        "id": number,
        "action": "block",
        "target": "203.0.113.7",
        "scope": "account",
        "source": "person",
        "origin": "",
        "reason": "x" * 200,
        "code": None,
        "expires": None,
        "enabled": True,
    }


def test_a_terminal_of_another_encoding_gets_escapes(service: Service) -> None:
    """Text that cannot be shown is no reason to fail."""
    found = {**listing(1), "reason": "café ☕"}
    service.on("GET", "/api/v1/listings", answer({"listings": [found], "next": None}))
    environment = {**os.environ, "MAILMUM_URL": service.url, "MAILMUM_TOKEN": "t"}
    environment |= {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    environment.pop("MAILMUM_DATA", None)
    done = subprocess.run([*COMMAND, "listings"], env=environment, capture_output=True, check=True)
    assert b"caf\xe9 \\u2615" in done.stdout
