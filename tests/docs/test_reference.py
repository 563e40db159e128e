"""The reference names every setting, command and option that there is, and no other."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import pytest
from pydantic_core import PydanticUndefined

from mailmum.cli.main import VERBS, cli
from mailmum.control.accounts.models import Account
from mailmum.control.config import Config, load
from mailmum.domain.lifetimes import parse_lifetime
from mailmum.web.views.parameters import PARAMETERS
from tests.docs.guide import language
from tests.docs.markdown import ROOT, Block, blocks, documents

SETTINGS = ROOT / "docs/reference/settings.md"
COMMANDS = ROOT / "docs/reference/commands.md"
COMMON = {"--data", "--json"}
SAME = "Options: those of `mailmum up`."


def section(path: Path, title: str) -> str:
    """The text of a document below a heading."""
    text = path.read_text().partition(f"\n## {title}\n")[2]
    assert text, f"{path} has no section {title}"
    return text.partition("\n## ")[0]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of the tables in a text."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def code(text: str) -> str:
    """What stands between backticks."""
    found = re.search(r"`([^`]+)`", text)
    assert found, text
    return found[1]


def test_settings_of_the_installation() -> None:
    """Each parameter with its default; what has no default is said to have none."""
    told = {
        code(row[0]): row[1].strip("`") for row in rows(section(SETTINGS, "Of the installation"))
    }
    assert told == {name: _default(name) for name in Config.model_fields}


def _default(name: str) -> str:
    default = Config.model_fields[name].default
    if default is PydanticUndefined:
        return "none"
    return "empty" if default in ("", None) else str(default)


def test_settings_of_an_account() -> None:
    """What owners can change in the pages, with the defaults of the model."""
    told = {code(row[0]): row[1].strip("`") for row in rows(section(SETTINGS, "Of an account"))}
    assert set(told) == set(PARAMETERS)
    account = Account()
    assert int(told["ttl"]) == account.ttl
    assert parse_lifetime(told["key_keep"]) == account.key_keep
    assert (account.code, account.contact) == (None, "")
    terms = {name: str(value) for name, value in asdict(account.terms).items()}
    assert {name: told[name] for name in terms} == terms


@pytest.mark.parametrize(
    "block",
    [block for path in documents() for block in blocks(path) if block.language == "toml"],
    ids=str,
)
def test_examples_of_settings_are_understood(block: Block, tmp_path: Path) -> None:
    """Each example of mailmum.toml, by the code that checks what stands there."""
    given = tomllib.loads(block.text)
    assert given
    assert load(data=tmp_path, **given).model_fields_set >= given.keys()


def test_some_settings_are_shown() -> None:
    """The check above has something to check."""
    assert language(SETTINGS, "toml")


def commands() -> dict[str, click.Command]:
    """Every command that does something, by its full name."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in VERBS:
        verb = cli.get_command(context, name)
        assert verb is not None
        found |= _leaves(verb, f"mailmum {name}")
    return found


def _leaves(command: click.Command, name: str) -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {name: command}
    found: dict[str, click.Command] = {}
    for word, member in command.commands.items():
        found |= _leaves(member, f"{name} {word}")
    return found


def told_commands() -> dict[str, str]:
    """The reference's headings without arguments, and the text below each."""
    parts = re.split(r"^### `([^`]+)`\n", COMMANDS.read_text(), flags=re.MULTILINE)
    return dict(zip(map(_words, parts[1::2]), parts[2::2], strict=True))


def _words(heading: str) -> str:
    return " ".join(word for word in heading.split() if not word.strip(".").isupper())


def told_arguments() -> dict[str, list[str]]:
    """The arguments in each heading."""
    headings = re.findall(r"^### `([^`]+)`\n", COMMANDS.read_text(), flags=re.MULTILINE)
    return {
        _words(heading): [word for word in heading.split() if word.strip(".").isupper()]
        for heading in headings
    }


def test_every_command_is_there() -> None:
    """And none that is not."""
    assert set(told_commands()) == set(commands())


def test_every_argument_is_there() -> None:
    """With the name that help shows."""
    for name, command in commands().items():
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        shown = [one.metavar or (one.name or "").upper() for one in arguments]
        assert told_arguments()[name] == shown, name


def test_every_option_is_there() -> None:
    """And none that is not; where two commands have the same, that is said."""
    told = told_commands()
    up = _told_options(told["mailmum up"])
    for name, command in commands().items():
        # A demo is a whole service; a part alone is none.
        expected = up - {"--demo"} if SAME in told[name] else _told_options(told[name])
        assert expected == _options(command), name


def _told_options(text: str) -> set[str]:
    cells = (row[0] for row in rows(text.partition("\n## ")[0]))
    return {part.split()[0] for cell in cells for part in re.findall(r"`(-[^`]+)`", cell)}


def _options(command: click.Command) -> set[str]:
    options = [one for one in command.params if isinstance(one, click.Option)]
    names = {name for one in options for name in (*one.opts, *one.secondary_opts)}
    assert names >= COMMON
    return names - COMMON


def test_common_options_are_told_once() -> None:
    """At the head of the reference."""
    head = COMMANDS.read_text().partition("\n## ")[0]
    assert _told_options(head) >= {*COMMON, "--help"}
