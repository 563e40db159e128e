"""Finding the service: which of several places counts, and what a wrong one is told."""

import json
import os
from pathlib import Path

import pytest

from mailmum.cli.failures import Failure
from mailmum.cli.locate import Service, find_service

URL, TOKEN = "http://127.0.0.1:8053", "mm_abc"
VARIABLES = {"MAILMUM_URL": "https://rbl.example.net", "MAILMUM_TOKEN": "mm_env"}


def folder(path: Path, **content: object) -> Path:
    """A data folder with a credential."""
    path.mkdir(exist_ok=True)
    known = {"url": URL, "token": TOKEN} | content
    (path / "cli.json").write_text(json.dumps(known))
    return path


def refused(data: Path | None, environment: dict[str, str], here: Path) -> str:
    """The message of a refusal."""
    with pytest.raises(Failure) as caught:
        find_service(data, environment, here)
    assert caught.value.code == "no-service"
    assert caught.value.fix
    return caught.value.message


def test_the_option_counts_first(tmp_path: Path) -> None:
    """Before every variable."""
    named = folder(tmp_path / "named")
    other = folder(tmp_path / "other", token="mm_other")
    environment = VARIABLES | {"MAILMUM_DATA": str(other)}
    found = find_service(named, environment, tmp_path)
    assert found == Service(URL, TOKEN, str(named / "cli.json"), named)


def test_then_the_variable_of_the_folder(tmp_path: Path) -> None:
    """Before address and token."""
    named = folder(tmp_path / "named")
    environment = VARIABLES | {"MAILMUM_DATA": str(named)}
    assert find_service(None, environment, tmp_path).token == TOKEN


def test_then_address_and_token(tmp_path: Path) -> None:
    """Before the folder `data` here; a slash at the end does not matter."""
    folder(tmp_path / "data")
    environment = VARIABLES | {"MAILMUM_DATA": "", "MAILMUM_URL": "https://rbl.example.net/"}
    found = find_service(None, environment, tmp_path)
    assert found == Service("https://rbl.example.net", "mm_env", "MAILMUM_TOKEN")


def test_then_the_folder_data_here(tmp_path: Path) -> None:
    """What `script/server` uses is found without being named."""
    folder(tmp_path / "data")
    assert find_service(None, {}, tmp_path).token == TOKEN


def test_nothing_known(tmp_path: Path) -> None:
    """All ways to name a service are told."""
    message = refused(None, {}, tmp_path)
    for way in ("--data", "MAILMUM_DATA", "MAILMUM_URL", "MAILMUM_TOKEN"):
        assert way in message


@pytest.mark.parametrize("missing", ["MAILMUM_URL", "MAILMUM_TOKEN"])
def test_one_variable_without_the_other(tmp_path: Path, missing: str) -> None:
    """The missing one is named."""
    environment = {name: value for name, value in VARIABLES.items() if name != missing}
    assert f"but {missing} is not" in refused(None, environment, tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The message names what named it, and how to start a service there."""
    message = refused(None, {"MAILMUM_DATA": str(tmp_path / "typo")}, tmp_path)
    assert "there is no folder" in message
    assert "(MAILMUM_DATA)" in message
    assert "mailmum up --data" in message


def test_a_folder_without_a_credential(tmp_path: Path) -> None:
    """An existing folder is told apart from a missing one."""
    assert "has no cli.json" in refused(tmp_path, {}, tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"url": "http://x"}', '"x"', "\x00"])
def test_a_damaged_credential(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file, the message is about the file."""
    (tmp_path / "cli.json").write_text(content)
    assert "cli.json is damaged" in refused(tmp_path, {}, tmp_path)


def test_a_credential_of_another_user(tmp_path: Path) -> None:
    """A file that may not be read: run as its owner."""
    folder(tmp_path / "data")
    if os.geteuid() == 0:
        # root reads everything; a folder in the file's place fails to open all the same.
        (tmp_path / "data" / "cli.json").unlink()
        (tmp_path / "data" / "cli.json").mkdir()
    else:
        (tmp_path / "data" / "cli.json").chmod(0)
    assert "cannot be read" in refused(tmp_path / "data", {}, tmp_path)


@pytest.mark.parametrize(
    "url", ["", "rbl.example.net", "ftp://rbl.example.net", "http://", "http://[::1", "http://x:y"]
)
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    """The message says where it stands and how one looks."""
    message = refused(folder(tmp_path / "data", url=url), {}, tmp_path)
    assert "is not the address of a service" in message
    assert "https://rbl.example.net" in message


@pytest.mark.parametrize("token", ["mm abc", "mm_\nX: y", "mm_é", "mm_\x7f"])
def test_a_token_that_cannot_be_a_header(tmp_path: Path, token: str) -> None:
    """A line break in a token would forge a header: it is refused before anything is sent."""
    environment = VARIABLES | {"MAILMUM_TOKEN": token}
    assert "MAILMUM_TOKEN does not hold a token" in refused(None, environment, tmp_path)
