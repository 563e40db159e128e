"""Error pages, answers for supervisors, headers of every response."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test import Client

from mailmum.control.accounts.models import Account
from mailmum.control.traffic.router import LABEL, traffic_database
from mailmum.web.middleware import POLICY
from tests.support.damaged import traffic_damaged
from tests.web.conftest import Visitors, text_of


@pytest.fixture
def broken() -> Iterator[Any]:
    """Makes the list of servers fail in the way that the test says."""
    with mock.patch("mailmum.web.views.servers.servers_of") as servers_of:
        yield servers_of


def test_unknown_addresses(site: Visitors) -> None:
    """In the design, for everybody."""
    for client in (site.owner.client, Client()):
        response = client.get("/nowhere/")
        assert response.status_code == 404
        assert "Nothing here" in text_of(response)


def test_a_fault_of_ours(site: Visitors, broken: Any) -> None:
    """500 with a page that needs no database, and nothing of the fault itself."""
    broken.side_effect = ValueError("a detail")
    client = site.owner.client
    client.raise_request_exception = False
    response = client.get(site.owner.path("servers"))
    assert response.status_code == 500
    assert "Something went wrong here" in text_of(response)
    assert "a detail" not in response.content.decode()


@pytest.mark.parametrize(
    "fault", [OperationalError("gone"), DatabaseError("database disk image is malformed")]
)
def test_a_database_that_is_away(site: Visitors, broken: Any, fault: Exception) -> None:
    """503, and it says that mail servers are still answered; so it is with a damaged file."""
    broken.side_effect = fault
    client = site.owner.client
    client.raise_request_exception = False
    response = client.get(site.owner.path("servers"))
    assert response.status_code == 503
    assert "still told what is listed" in text_of(response)


@pytest.mark.parametrize("page", ["triggers", "suggestions", "alerts", "alerts-report", "listings"])
def test_every_page_says_that_traffic_is_away(site: Visitors, page: str) -> None:
    """What is shown stands still meanwhile, and would look as if nothing had happened."""
    if traffic_database() != LABEL:
        pytest.skip("traffic has no database of its own")
    words = "The database of traffic is away"
    assert words not in text_of(site.viewer.get(page))
    client = site.viewer.client
    client.raise_request_exception = False
    with traffic_damaged():
        response = client.get(site.viewer.path(page))
    told = text_of(response)
    assert words in told or "What was seen cannot be shown" in told
    assert response.status_code == (503 if words not in told else 200)
    assert (response.status_code == 503) == (page == "alerts-report")


def test_a_form_far_too_large(site: Visitors) -> None:
    """400 with the way to import, and nothing is read into memory."""
    response = site.admin.client.post(
        site.admin.path("listing-add"), {"note": "x" * (5 * 1024 * 1024)}
    )
    assert response.status_code == 400
    assert "mailmum import" in text_of(response)


def test_supervisors_are_answered(db: None) -> None:
    """In plain text, without signing in; readiness asks the database."""
    for path in ("/healthz", "/readyz"):
        response = Client().get(path)
        assert (response.status_code, response.content) == (200, b"ok\n")
        assert response["Content-Type"].startswith("text/plain")
        assert Client().post(path).status_code == 405
    with mock.patch.object(connection, "cursor", side_effect=OperationalError("gone")):
        assert Client().get("/readyz").status_code == 503
        assert Client().get("/healthz").status_code == 200


def test_every_response_has_the_policy(site: Visitors) -> None:
    """Nothing from outside, nothing inline; pages keep to it."""
    for response in (site.owner.get("listing-add"), Client().get("/nowhere"), Client().get("/")):
        assert response["Content-Security-Policy"] == POLICY
        assert response["X-Frame-Options"] == "DENY"
        assert response["X-Content-Type-Options"] == "nosniff"
    page = site.owner.get("listing-add").content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick" not in page


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"suspended": True}, "This account is suspended. Nothing is listed"),
        ({"expires": 1}, "This account has expired. Nothing is listed"),
    ],
)
def test_an_account_that_is_not_answered_says_so(
    site: Visitors, state: dict[str, int], says: str
) -> None:
    """On every page of it, so that nobody relies on listings that do nothing."""
    assert "Nothing is listed, so" not in text_of(site.viewer.get("journal"))
    Account.objects.filter(pk=site.viewer.account).update(**state)
    assert says in text_of(site.viewer.get("journal"))


@pytest.mark.parametrize(
    ("cookie", "shown"),
    [
        ("", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("Nowhere/City", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("/etc/passwd", "UTC"),
        ("x" * 500, "UTC"),
    ],
)
def test_times_are_in_the_readers_zone(site: Visitors, cookie: str, shown: str) -> None:
    """As the browser's cookie tells it; anything odd means UTC, and the page says which."""
    if cookie:
        site.owner.client.cookies["zone"] = cookie
    response = site.owner.get("journal")
    assert f"Times in {shown}" in text_of(response)
    assert f' {shown}">' in response.content.decode()
