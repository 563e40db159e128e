"""Files that the first start writes."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailmum.control import config
from mailmum.control.config import Config, parse_policy_servers
from mailmum.domain.errors import Refusal


def mode_of(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_all_who_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    """Parts under systemd may meet an empty folder together."""
    made = Config(data=tmp_path)
    with ThreadPoolExecutor(16) as threads:
        secrets = set(threads.map(lambda _: config.secret(made), range(64)))
    assert len(secrets) == 1
    assert len(secrets.pop()) > 40
    assert mode_of(tmp_path / config.SECRET_NAME) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [config.SECRET_NAME]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty secret would stop every later start."""

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        config.secret(Config(data=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a folder shared into a virtual machine."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    made = Config(data=tmp_path)
    assert config.secret(made) == config.secret(made)


def test_parameters_are_the_owners_alone(tmp_path: Path) -> None:
    """A password of PostgreSQL may come to stand there, also in a folder that others can enter."""
    tmp_path.chmod(0o755)
    path = tmp_path / config.FILE_NAME
    config.write_file(Config(data=tmp_path, zone="rbl.example.net"))
    assert mode_of(path) == 0o600
    assert 'zone = "rbl.example.net"' in path.read_text()
    path.write_text("# mine\n")
    config.write_file(Config(data=tmp_path))
    assert path.read_text() == "# mine\n"


def test_passwords_from_elsewhere_are_not_written_down(tmp_path: Path) -> None:
    """Neither a parameter's own nor one within the URL of the database, not even as a comment."""
    urls = "postgresql://mailmum:hidden1@db.example/mailmum?password=hidden2"
    config.write_file(Config(data=tmp_path, database=urls, smtp_password="hidden3"))
    written = (tmp_path / config.FILE_NAME).read_text()
    assert "hidden" not in written
    assert "# database = " in written


def test_private_places_that_may_be_reached(tmp_path: Path) -> None:
    """Hosts and networks; a slip opens nothing and is told."""
    assert config.load(data=tmp_path, reach="lists.internal, 10.1.0.0/16").reach
    with pytest.raises(Refusal, match=r"reach: 10\.1\.0\.1/16 is neither a host"):
        config.load(data=tmp_path, reach="10.1.0.1/16")


def test_what_is_wrong_is_told_where_it_can_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No option is named that there is not; of words, those that may stand there."""
    monkeypatch.setenv("MAILMUM_ENGINE", "rust")
    with pytest.raises(Refusal, match="'rust' is none of auto, compiled, python") as caught:
        config.load(data=tmp_path)
    assert caught.value.fix == "see MAILMUM_ENGINE or mailmum.toml"
    monkeypatch.delenv("MAILMUM_ENGINE")
    with pytest.raises(Refusal) as caught:
        config.load(data=tmp_path, dns_workers=0)
    assert caught.value.fix == "see --dns-workers, MAILMUM_DNS_WORKERS or mailmum.toml"


def test_sockets_of_servers() -> None:
    """Ports and paths, with the server's name; anything else is told with an example."""
    found = parse_policy_servers("mx1=127.0.0.1:10054, mx2=unix:/run/mailmum/mx2,mx3=[::1]:10055")
    assert found == (
        ("mx1", "127.0.0.1", 10054),
        ("mx2", "/run/mailmum/mx2", 0),
        ("mx3", "::1", 10055),
    )
    assert parse_policy_servers("") == ()
    for wrong in ("127.0.0.1:10054", "mx1=unix:relative", "=127.0.0.1:1", "mx1=nowhere"):
        with pytest.raises(ValueError, match="write for example"):
            parse_policy_servers(wrong)
