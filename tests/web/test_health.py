"""What supervisors and monitoring systems are told, and who may read the numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.http import HttpResponse
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from mailmum.control import config
from mailmum.control.traffic.router import traffic_database
from tests.support.world import World

HERE = "127.0.0.1:8053"
SECRET = "s3cr3t-of-16-chars"


@contextmanager
def parameter(value: str) -> Iterator[None]:
    """The parameter `metrics` for a while."""
    changed = config.current().model_copy(update={"metrics": value})
    with mock.patch.object(config, "current", return_value=changed):
        yield


@contextmanager
def away(alias: str, reason: str) -> Iterator[None]:
    """A database that cannot be asked."""
    with mock.patch.object(connections[alias], "cursor", side_effect=OperationalError(reason)):
        yield


def ask(host: str = HERE, address: str = "127.0.0.1", **headers: str) -> HttpResponse:
    """Ask for the numbers."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    response = Client().get("/metrics", headers={"host": host} | given, REMOTE_ADDR=address)
    assert isinstance(response, HttpResponse)
    return response


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("unable to open database file at /secret/path", b"the database does not answer\n"),
        ("no such table: journal_record", b"the database has no tables\n"),
    ],
)
def test_readiness_tells_what_is_wrong(world: World, reason: str, words: bytes) -> None:
    """Not ready without rules, and strangers learn no more than that; alive all the same."""
    with away(DEFAULT_DB_ALIAS, reason):
        response = Client().get("/readyz")
        assert (response.status_code, response.content) == (503, words)
        assert Client().get("/healthz").content == b"ok\n"
    assert Client().get("/readyz").content == b"ok\n"


def test_without_traffic_it_is_ready(world: World) -> None:
    """Pages go on without it; that it is away is said."""
    one = traffic_database() == DEFAULT_DB_ALIAS
    with away(traffic_database(), "disk I/O error"):
        response = Client().get("/readyz")
    assert response.status_code == (503 if one else 200)
    assert response.content.endswith(b"does not answer\n")
    assert (b"of traffic" in response.content) is not one


def test_the_numbers_are_for_this_machine(world: World) -> None:
    """By default; in the form that Prometheus reads, and never from a cache."""
    response = ask()
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in response["Cache-Control"]
    families = list(text_string_to_metric_families(response.content.decode()))
    assert {one.name for one in families} > {"mailmum_dns_queries", "mailmum_database_up"}
    assert Client().post("/metrics").status_code == 405


@pytest.mark.parametrize(
    "more",
    [
        {"address": "192.0.2.7"},
        {"host": "rbl.example.net"},
        {"x_forwarded_for": "198.51.100.1"},
        {"forwarded": "for=198.51.100.1"},
        {"x_real_ip": "198.51.100.1"},
        {"authorization": "Bearer anything", "host": "rbl.example.net"},
    ],
)
def test_others_are_refused(world: World, more: dict[str, str]) -> None:
    """From elsewhere, or by way of a proxy."""
    response = ask(**more)
    assert response.status_code == 403
    assert b"mailmum_" not in response.content


def test_a_token_lets_in_from_anywhere(world: World) -> None:
    """As Prometheus shows it; without it there is a challenge."""
    host, address = "rbl.example.net", "198.51.100.1"
    with parameter(f"token:{SECRET}"):
        good = ask(host, address, authorization=f"Bearer {SECRET}")
        bad = ask(host, address, authorization=f"Basic {SECRET}")
    assert good.status_code == 200
    assert (bad.status_code, bad["WWW-Authenticate"]) == (401, "Bearer")


def test_it_can_be_switched_off(world: World) -> None:
    """For everybody."""
    with parameter("off"):
        assert ask().status_code == 404


def test_numbers_come_without_a_database(world: World) -> None:
    """A monitoring system must be able to tell that it is away."""
    with away(DEFAULT_DB_ALIAS, "gone"):
        response = ask()
    assert response.status_code == 200
    assert b'mailmum_database_up{database="rules"} 0.0' in response.content
