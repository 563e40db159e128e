"""Removal requests in the pages: the public form, and the account's answers."""

from typing import Any

import pytest
from django.test import Client

from mailmum.control.journal.models import Record
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.requests import asking
from mailmum.control.requests.asking import ask
from mailmum.control.requests.models import RemovalRequest, State
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import current_key, find_server
from mailmum.control.servers.services import add_server
from mailmum.domain.listings import Action
from tests.support.world import World
from tests.web.conftest import Visitors, text_of, undo_address

EVIL = "<script>alert(1)</script> & <img src=x onerror=alert(2)>"


@pytest.fixture
def mx1(world: World) -> Server:
    """A server that refuses a network."""
    wish = make_wish(Action.BLOCK, now=0, reason="Sent spam", note="private note")
    list_targets(world.admin, ["203.0.113.0/24"], wish)
    return add_server(world.admin, "mx1")


def post(server: Server, client: str = "203.0.113.7", **data: str) -> Any:
    """Send the public form, not signed in, and see where it leads."""
    values = {"text": "We closed the relay.", "reply_to": "admin@sender.example"} | data
    return Client().post(f"/why/{server.ref}/{client}", values, follow=True)


def test_asking_and_seeing_the_answer(site: Visitors, world: World, mx1: Server) -> None:
    """The address of the page that says so shows the answer later, and no form meanwhile."""
    page = Client().get(f"/why/{mx1.ref}/203.0.113.7")
    assert "Ask for removal" in text_of(page)
    done = post(mx1)
    assert "Your request has reached the administrator." in text_of(done)
    assert 'name="text"' not in done.content.decode()
    where = done.redirect_chain[-1][0]
    (made,) = RemovalRequest.objects.all()
    declined = site.admin.post(
        "request-answer", {"how": "decline", "answer": f"Not yet. {EVIL}"}, number=made.pk
    )
    assert "Declined for 203.0.113.7." in text_of(declined)
    seen = Client().get(where)
    assert "Your request was declined" in text_of(seen)
    assert "Not yet. <script>" in text_of(seen)
    assert "<script>alert" not in seen.content.decode()
    site.admin.post("request-answer", {"how": "allow", "where": "all", "for": ""}, number=made.pk)
    granted = text_of(Client().get(where))
    assert "Your request was granted" in granted
    assert "is not refused here" in granted
    assert "Not yet" not in granted


def test_the_public_page_tells_nothing_else(world: World, mx1: Server) -> None:
    """Neither in the form nor after it: no key, no name, no note, nothing of another's request."""
    ask(mx1.ref, "203.0.113.7", text="first of all", reply_to="", address="192.0.2.1")
    pages = [Client().get(f"/why/{mx1.ref}/203.0.113.7"), post(mx1), post(mx1, text="")]
    assert pages[1].status_code == 409
    assert "asked about 203.0.113.7 already" in text_of(pages[1])
    assert pages[2].status_code == 422
    key = current_key(find_server(world.admin, "mx1"))
    for page in (*pages, post(mx1, "203.0.113.8")):
        source = page.content.decode()
        for private in (key, "mx1", "private note", "first of all", "192.0.2.1", "203.0.113.0/24"):
            assert private not in source
        assert "noindex" in page["X-Robots-Tag"]
        assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"text": " "}, "nothing is said"),
        ({"text": "x" * 1001}, "1000 are allowed"),
        ({"reply_to": "nobody"}, "is not an e-mail address"),
    ],
)
def test_what_is_wrong_stands_beside_the_field(
    mx1: Server, data: dict[str, str], says: str
) -> None:
    """With what was typed still there."""
    page = post(mx1, **data)
    source = page.content.decode()
    assert page.status_code == 422
    assert says in text_of(page)
    assert "We closed the relay." in source or "text" in data
    assert 'value="admin@sender.example"' in source or "reply_to" in data
    assert not RemovalRequest.objects.exists()


def test_who_may_not_ask(world: World, mx1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody about a client that is not refused, about nothing that there is, or too often."""
    assert "192.0.2.9 is not refused here" in text_of(post(mx1, "192.0.2.9"))
    assert Client().post("/why/nowhere/203.0.113.7", {"text": "x"}).status_code == 404
    assert Client().post(f"/why/{mx1.ref}/x%20y", {"text": "x"}).status_code == 404
    monkeypatch.setattr(asking, "ADDRESS_HOURLY", 1)
    assert post(mx1).status_code == 200
    refused = post(mx1, "203.0.113.8")
    assert refused.status_code == 409
    assert "there have been many requests" in text_of(refused)
    assert RemovalRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("direct", "passed_on", "counts"),
    [
        ("127.0.0.1", "192.0.2.9", "192.0.2.9"),
        ("::1", "198.51.100.1, 2001:db8::9", "2001:db8::/64"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "<b>", "127.0.0.1"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
    ],
)
def test_who_asks_behind_a_proxy(mx1: Server, direct: str, passed_on: str, counts: str) -> None:
    """What a proxy on this machine adds counts, last of all; what a stranger claims does not."""
    headers = {"X-Forwarded-For": passed_on} if passed_on else {}
    client = Client(REMOTE_ADDR=direct, headers=headers)
    client.post(f"/why/{mx1.ref}/203.0.113.7", {"text": "mended"})
    assert RemovalRequest.objects.get().address == counts


def test_a_form_of_another_site_is_refused(mx1: Server) -> None:
    """It would ask in the visitor's name."""
    client = Client(enforce_csrf_checks=True)
    refused = client.post(f"/why/{mx1.ref}/203.0.113.7", {"text": "x"})
    assert refused.status_code == 403
    assert not RemovalRequest.objects.exists()


def test_the_inbox(site: Visitors, world: World, mx1: Server) -> None:
    """A badge on every page; what was written is text, whatever it is."""
    assert "Nobody asks for removal" in text_of(site.viewer.get("requests"))
    ask(mx1.ref, "203.0.113.7", text=EVIL, reply_to="a@b.example", address="192.0.2.1")
    (made,) = RemovalRequest.objects.all()
    for page in (site.viewer.get("requests"), site.viewer.get("request", number=made.pk)):
        assert EVIL in text_of(page)
        assert "<script>alert" not in page.content.decode()
        assert "<img src=x" not in page.content.decode()
    assert "Requests 1 open" in text_of(site.viewer.get("listings"))
    assert "Requests 1 open" not in text_of(site.outsider.client.get("/"))
    shown = site.viewer.get("request", number=made.pk)
    assert "203.0.113.0/24 blocked for the account by admin@example.net" in text_of(shown)
    assert "private note" in text_of(shown)
    assert "Nothing was seen of it in 30 days." in text_of(shown)
    assert site.viewer.path("request-answer", number=made.pk) not in shown.content.decode()


def test_answering(site: Visitors, world: World, mx1: Server) -> None:
    """What each button does is said on it; an allow and a removal can be undone at once."""
    ask(mx1.ref, "203.0.113.7", text="x", reply_to="", address="192.0.2.1")
    (made,) = RemovalRequest.objects.all()
    page = text_of(site.admin.get("request", number=made.pk))
    assert "Remove 203.0.113.0/24" in page
    assert "and with it the block of everybody else in it" in page
    done = site.admin.post(
        "request-answer", {"how": "allow", "for": "1y", "where": "server"}, number=made.pk
    )
    assert "Allowed 203.0.113.7." in text_of(done)
    assert undo_address(done)
    made.refresh_from_db()
    assert (made.state, made.change) == (State.ALLOWED, Record.objects.latest("seq").seq)
    answered = text_of(site.viewer.get("requests", query={"state": "answered"}))
    assert "203.0.113.7" in answered
    removed = site.admin.post("request-answer", {"how": "unlist"}, number=made.pk)
    assert "no listing blocks 203.0.113.7 there any more" in text_of(removed)


def test_answers_that_cannot_be(site: Visitors, world: World, mx1: Server) -> None:
    """Too long, or none that there is: nothing changes."""
    ask(mx1.ref, "203.0.113.7", text="x", reply_to="", address="192.0.2.1")
    (made,) = RemovalRequest.objects.all()
    long = site.admin.post(
        "request-answer", {"how": "decline", "answer": "y" * 501}, number=made.pk
    )
    assert "500 are allowed" in text_of(long)
    assert 'aria-describedby="f-answer-e"' in long.content.decode()
    assert site.admin.post("request-answer", {"how": "x"}, number=made.pk).status_code == 200
    made.refresh_from_db()
    assert made.state == State.OPEN
    assert site.viewer.post("request-answer", {"how": "allow"}, number=made.pk).status_code == 403
    assert site.outsider.post("request-answer", {"how": "allow"}, number=made.pk).status_code == 404
