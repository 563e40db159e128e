"""News of commits from an SQLite file, also when it is replaced by another."""

import sqlite3
from pathlib import Path

import pytest

from mailmum.control.dataplane.news import SqliteNews


def commit(path: Path) -> None:
    """Write something."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (n)")
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()


def test_a_commit_is_news_once(tmp_path: Path) -> None:
    """The first look always is, since something may have been missed."""
    path = tmp_path / "database"
    commit(path)
    news = SqliteNews(path)
    assert news.wait(0)
    assert not news.wait(0.05)
    commit(path)
    assert news.wait(0.05)
    assert not news.wait(0.05)
    assert not news.take_replaced()
    news.close()


def test_another_file_in_its_place_is_noticed(tmp_path: Path) -> None:
    """A backup put back while daemons run: a connection would stay with the old one for ever."""
    path, other = tmp_path / "database", tmp_path / "other"
    commit(path)
    commit(other)
    news = SqliteNews(path)
    assert news.wait(0)
    other.replace(path)
    assert news.wait(3)
    assert news.take_replaced()
    assert not news.take_replaced()
    commit(path)
    assert news.wait(0.05)
    path.unlink()
    with pytest.raises(OSError, match="database"):
        news.wait(3)
    news.close()
