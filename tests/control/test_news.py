"""News of commits: from an SQLite file, also when it is replaced by another, and by PostgreSQL."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.utils import ConnectionHandler

from mailmum.control.dataplane.news import PostgresNews, SqliteNews
from mailmum.control.journal.services import CHANNEL
from mailmum.control.settings import _postgresql
from tests.support.postgres import Cluster


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


def test_postgresql_is_listened_to_as_it_is_asked(postgres_cluster: Cluster) -> None:
    """With all parameters of the database's URL: one may name the certificate to trust."""
    settings = _postgresql(postgres_cluster.url() + "?application_name=followed&sslmode=disable")
    defaults = ConnectionHandler({"default": settings}).settings["default"]
    news = PostgresNews(DatabaseWrapper(defaults))
    try:
        assert news.wait(0)
        with psycopg.connect(postgres_cluster.url(), autocommit=True) as other:
            found = other.execute("SELECT application_name FROM pg_stat_activity").fetchall()
            assert ("followed",) in found
            assert not news.wait(0)
            other.execute(f"NOTIFY {CHANNEL}")
            assert news.wait(10)
    finally:
        news.close()


@pytest.mark.parametrize(("query", "jit"), [("", "off"), ("?options=", "on")])
def test_sessions_of_postgresql_are_set_for_short_questions(
    postgres_cluster: Cluster, query: str, jit: str
) -> None:
    """Or as the URL says."""
    settings = _postgresql(postgres_cluster.url() + query)
    wrapper = DatabaseWrapper(ConnectionHandler({"default": settings}).settings["default"])
    with wrapper.get_new_connection(wrapper.get_connection_params()) as made:
        assert made.execute("SHOW jit").fetchone() == (jit,)
