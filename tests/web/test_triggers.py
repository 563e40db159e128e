"""The pages of triggers, without script: list, form with the trial, one trigger with evidence."""

import asyncio
import html
import re
import threading
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from asgiref.sync import async_to_sync
from asgiref.typing import Scope
from django.http import HttpResponse

from mailmum.control.listings.models import Version
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.queries import find_trigger
from mailmum.control.triggers.services import add_trigger, edit_trigger
from mailmum.control.triggers.values import rule_of
from mailmum.traffic.sightings import Outcome
from mailmum.web.asgi import application
from mailmum.web.trial import Trial
from tests.control.triggers.kit import CLIENT, Scene, scene
from tests.web.conftest import Visitor, Visitors, text_of, undo_address

__all__ = ["scene"]

THREADED = pytest.mark.django_db(transaction=True, databases="__all__")
"""A trial runs in a thread of its own."""

FORM = {
    "name": "guesses",
    "mode": "observe",
    "metric": "auth",
    "threshold": "10",
    "window": "1h",
    "group": "address",
    "where": "account",
    "lifetime": "1d",
    "growth": "2",
    "longest": "30d",
    "quiet": "30d",
    "merge": "0",
    "accepted": "5",
    "days": "60",
    "brake": "50",
    "brake_window": "10m",
    "lists": "",
    "score": "",
    "traps": "",
    "server": "",
    "reason": "Too many failed logins",
    "note": "",
}


def test_an_empty_list_offers_ready_made_ones(site: Visitors) -> None:
    """Each with what it does, and a way to try it; a viewer may only look."""
    text = text_of(site.owner.get("triggers"))
    assert "Start from a ready-made one" in text
    assert "20 unknown recipients within 10 min from one address" in text
    assert b"?preset=dictionary-attack" in site.owner.get("triggers").content
    assert b"?preset=" not in site.viewer.get("triggers").content
    site.owner.post("trigger-add", FORM | {"name": "password-guessing"})
    text = text_of(site.owner.get("triggers"))
    assert "password-guessing you have it Somebody" in text
    assert text.count("you have it") == 1


def test_a_preset_fills_the_form(site: Visitors) -> None:
    """It observes unless one chooses otherwise; an unknown one is no page."""
    page = site.owner.get("trigger-add", query={"preset": "password-guessing"}).content.decode()
    assert 'value="password-guessing"' in page
    assert '<option value="auth" selected>' in page
    assert 'value="observe" checked' in page
    assert site.owner.get("trigger-add", query={"preset": "none"}).status_code == 404


def test_adds_edits_and_removes(site: Visitors, scene: Scene) -> None:
    """By forms alone; what was typed stays when it is refused."""
    response = site.admin.post("trigger-add", FORM)
    assert "Added the trigger guesses" in text_of(response)
    response = site.admin.post("trigger-edit", FORM | {"threshold": "none"}, name="guesses")
    assert "none is not a whole number" in text_of(response)
    assert 'value="none"' in response.content.decode()
    response = site.admin.post("trigger-edit", FORM | {"threshold": "12"}, name="guesses")
    assert "Saved the trigger guesses" in text_of(response)
    assert rule_of(find_trigger(scene.world.owner, "guesses")).threshold == 12
    response = site.admin.post("trigger-remove", {}, name="guesses")
    assert "Removed the trigger guesses" in text_of(response)
    assert site.admin.get("trigger", name="guesses").status_code == 404


def test_fields_that_the_metric_has_no_use_for_are_left_aside(site: Visitors, scene: Scene) -> None:
    """They stand in the form all the same, filled by a change of mind."""
    site.admin.post(
        "trigger-add", FORM | {"score": "15", "traps": "a@b.example", "lists": "x.example"}
    )
    rule = rule_of(find_trigger(scene.world.owner, "guesses"))
    assert (rule.score, rule.traps, rule.lists) == (None, (), ())
    page = text_of(site.admin.post("trigger-add", FORM | {"name": "s", "metric": "score"}))
    assert "the spam score from which on messages count is missing" in page


def tried(visitor: Visitor, form: dict[str, str]) -> str:
    """What comes beside the form as somebody types."""
    path = visitor.path("trigger-try")
    response: Any = visitor.client.post(path, form, headers={"HX-Request": "true"})

    async def pieces() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(pieces)().decode()


def said(visitor: Visitor, form: dict[str, str]) -> str:
    """The same as a reader reads it."""
    return text_of(HttpResponse(tried(visitor, form)))


@THREADED
def test_the_trial_tells_how_far_it_is(site: Visitors, scene: Scene) -> None:
    """In comments that a browser passes over, rising, before the one fragment that is shown."""
    scene.see(count=12, outcome=Outcome.AUTH_FAILED, ago=7 * 86_400)
    add_trigger(scene.world.owner, "guesses", {"metric": "auth", "threshold": 10, "window": "1h"})
    for form in (FORM, FORM | {"saved": "guesses", "threshold": "5"}):
        before, fragment, _ = tried(site.admin, form).partition('<div class="beside"')
        assert fragment
        told = [int(one) for one in re.findall(r"<!--(\d+)-->", before)]
        assert len(told) > 1
        assert told == sorted(set(told))
        assert told[-1] <= 100
        # Day by day of the week that is kept: nothing is done where nothing is, or by a leap.
        assert max(later - one for one, later in pairwise([0, *told])) <= 20


@THREADED
def test_a_trial_ends_when_nobody_waits_for_it(
    site: Visitors, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another change of the form has taken its place."""
    ended: list[str] = []

    def endless(*_: object) -> Iterator[int]:
        try:
            yield from count()
        finally:
            ended.append("ended")

    monkeypatch.setattr("mailmum.web.views.triggers.steps", endless)
    response: Any = site.admin.client.post(site.admin.path("trigger-try"), FORM)

    async def leave_early() -> bytes:
        pieces = response.streaming_content
        first: bytes = await anext(pieces)
        await pieces.aclose()
        return first

    assert async_to_sync(leave_early)() == b"<!--0-->\n"
    assert ended == ["ended"]


@THREADED
def test_a_trial_without_script_ends_when_nobody_waits_for_it(
    site: Visitors, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is made as a whole, and yet the server says when its reader has gone."""
    began, ended = threading.Event(), threading.Event()

    def long(*_: object) -> Iterator[int | Trial]:
        try:
            for step in range(10_000_000):
                began.set()
                yield step
        except GeneratorExit:
            ended.set()
            raise
        yield Trial(fault="it was done to its end")

    monkeypatch.setattr("mailmum.web.trial.steps", long)
    sent = async_to_sync(_left_by)(site.admin, FORM | {"try": "1"}, began)
    assert ended.is_set()
    assert sent == []


async def _left_by(visitor: Visitor, form: dict[str, str], began: threading.Event) -> list[Any]:
    """Send a form to the application and leave once it is at work; what was sent back."""
    token = "a" * 32
    cookies = "; ".join(f"{name}={one.value}" for name, one in visitor.client.cookies.items())
    body = urlencode(form | {"csrfmiddlewaretoken": token}).encode()
    headers = {
        "cookie": f"csrftoken={token}; {cookies}",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(body)),
        "host": "localhost",
    }
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "query_string": b""}
    scope |= {"path": visitor.path("trigger-add"), "scheme": "http"}
    scope |= {"headers": [(name.encode(), one.encode()) for name, one in headers.items()]}
    given, sent = [{"type": "http.request", "body": body}], list[Any]()

    async def receive() -> Any:
        if given:
            return given.pop()
        assert await asyncio.to_thread(began.wait, 20)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(60):
        await application(cast(Scope, scope), receive, send)
    return sent


@THREADED
def test_the_trial_says_what_it_would_have_done(site: Visitors, scene: Scene) -> None:
    """As a fragment while somebody types, and by a button without script; nothing is saved."""
    assert "Nothing is stored yet that it could be tried on." in said(site.admin, FORM)
    scene.see(count=12, outcome=Outcome.AUTH_FAILED, ago=7200)
    scene.see(count=3, outcome=Outcome.ACCEPTED, ago=7000)
    fragment = tried(site.admin, FORM)
    text = text_of(HttpResponse(fragment))
    assert "would have made 1 listing and hit 1 client that delivers mail to you" in text
    assert "Over the last 30 days, of which only the last " in text
    assert CLIENT in text
    assert "<html" not in fragment
    site.admin.client.cookies["zone"] = "Asia/Tokyo"
    assert ' Asia/Tokyo">' in tried(site.admin, FORM)
    page = site.admin.post("trigger-add", FORM | {"try": "1"})
    assert "would have made 1 listing" in text_of(page)
    assert not Trigger.objects.exists()


@THREADED
def test_of_what_is_known_by_the_hour_the_hour_is_told(site: Visitors, scene: Scene) -> None:
    """As a listing and as the moment of the brake; else the moment."""
    for last in (1, 2):
        scene.see(f"203.0.113.{last}", count=12, outcome=Outcome.AUTH_FAILED, ago=20 * 86_400)
    text = said(site.admin, FORM | {"brake": "1"})
    assert "in the hour from" not in text
    Seen.objects.all().delete()
    text = said(site.admin, FORM | {"brake": "1"})
    assert re.search(r"would have stopped it in the hour from \w{3} \d+ \w{3} \d\d:00 :", text)
    assert len(re.findall(r"in the hour from \w{3} \d+ \w{3} \d\d:00 , 12 sessions", text)) == 2
    assert "In all of this time there are only counts by the hour" in text


@THREADED
def test_the_trial_names_who_was_spared(site: Visitors, scene: Scene) -> None:
    """With the reason, so that an exception that lets an attacker off is noticed."""
    scene.see(count=6, outcome=Outcome.ACCEPTED, ago=9000)
    for ago in (7200, 3600):
        scene.see(count=12, outcome=Outcome.AUTH_FAILED, ago=ago)
    fragment = tried(site.admin, FORM)
    text = text_of(HttpResponse(fragment))
    assert "Targets spared by an exception 1" in text
    spared = re.search(rf"Whom it would have spared {CLIENT} : (.*?) \d+ h ago , 2 times", text)
    assert spared
    assert spared[1] == "delivered 6 accepted messages in 60 days"
    assert "spared" not in said(site.admin, FORM | {"accepted": "7"}).replace("spared by an", "")


@THREADED
def test_a_trial_by_single_sightings_says_how_far_these_go(site: Visitors, scene: Scene) -> None:
    """Counts go further back, and say nothing of scores."""
    scene.see(ago=29 * 86_400)
    assert "Over the last 30 days this setting" in said(site.admin, FORM)
    Seen.objects.all().delete()
    scene.see(ago=4 * 86_400)
    by_score = FORM | {"metric": "score", "score": "15", "threshold": "1"}
    assert "of which only the last 5 are known" in said(site.admin, by_score)
    assert "Over the last 30 days this setting" in said(site.admin, FORM)


@THREADED
def test_the_trial_compares_with_what_is_saved(site: Visitors, scene: Scene) -> None:
    """Side by side, with the difference."""
    add_trigger(scene.world.owner, "guesses", {"metric": "auth", "threshold": 10, "window": "1h"})
    for last in (1, 2):
        scene.see(f"203.0.113.{last}", 6, Outcome.AUTH_FAILED, ago=7200)
    text = said(site.admin, FORM | {"saved": "guesses", "threshold": "5"})
    assert "Saved This setting Change" in text
    assert "Listings made 0 2 +2" in text


@THREADED
def test_what_cannot_be_tried_says_why(site: Visitors) -> None:
    """In the place of the figures."""
    text = said(site.admin, FORM | {"window": "soon"})
    assert "soon is no length of time" in text


@pytest.mark.parametrize("mode", ["off", "enforce"])
def test_switches_its_mode(site: Visitors, scene: Scene, mode: str) -> None:
    """By one button; anything else is refused in words."""
    scene.trigger("mine", mode="observe")
    text = text_of(site.admin.post("trigger-mode", {"mode": mode}, name="mine"))
    assert f"is now: {mode}" in text
    text = text_of(site.admin.post("trigger-mode", {"mode": "on"}, name="mine"))
    assert "the mode on is not known" in text


def test_a_trigger_shows_what_it_decided_and_why(site: Visitors, scene: Scene) -> None:
    """With the evidence, and a link to the listing, which tells it too."""
    scene.trigger("mine")
    scene.see(helo="<script>alert(1)</script>")
    scene.follow()
    page = site.viewer.get("trigger", name="mine")
    text = text_of(page)
    assert "1 listing in force" in text
    assert f"Listed {CLIENT}" in text
    assert "3 unknown recipients within 10 min (3 are enough)" in text
    assert "Counted 3, 3 within 10 min are enough" in text
    assert re.search(r"Look at them , numbers \d+, \d+, \d+ ", text)
    there = re.search(r'href="([^"]*)">Look at them<', page.content.decode())
    assert there is not None
    found = site.viewer.client.get(html.unescape(there[1]))
    assert "The latest 3: all there are" in text_of(found)
    number = Version.objects.get(source="trigger").number
    assert site.viewer.path("listing", number=number) in page.content.decode()
    listing = text_of(site.viewer.get("listing", number=number))
    assert "why the trigger listed it" in listing
    assert "Counted 3" in listing
    verdict = text_of(site.viewer.get("client", query={"q": CLIENT})).partition("Latest sightings")[
        0
    ]
    assert "3 unknown recipients within 10 min (3 are enough)" in verdict
    journal = text_of(site.viewer.get("journal", query={"kind": "triggers"}))
    assert f"trigger mine blocked {CLIENT}" in journal
    assert journal.count("Evidence Counted 3, 3 within 10 min are enough") == 1
    assert "added the trigger mine" in journal
    edit_trigger(scene.world.owner, "mine", {"window": "1d12h"})
    journal = text_of(site.viewer.get("journal", query={"kind": "triggers"}))
    assert "window: 10 min → 1 day 12 h" in journal
    page = text_of(site.viewer.get("trigger", name="mine"))
    assert "more than 50 listings in 10 min" in page
    assert "after 30 days without a listing" in page
    assert "3 unknown recipients within 10 min" in journal


def test_evidence_leads_to_the_sightings(site: Visitors, scene: Scene) -> None:
    """To those that were counted, of whomever, and to no others."""
    scene.trigger("net", group="network", threshold=5)
    scene.see(CLIENT, ago=4000)
    scene.see("203.0.113.8", 3, ago=60)
    scene.see("203.0.113.8", 2, Outcome.CONNECTED, ago=60)
    scene.see("203.0.113.9", 2, ago=50)
    scene.see("198.51.100.1", 2, ago=50)
    scene.follow()
    page = site.viewer.get("trigger", name="net").content.decode()
    [address] = re.findall(r'href="([^"]*)">Look at them', page)
    found = text_of(site.viewer.client.get(address.replace("&amp;", "&")))
    assert found.count("203.0.113.8") == 3
    assert found.count("203.0.113.9") == 2
    assert CLIENT not in found.replace("203.0.113.0/24", "")
    assert "198.51.100.1" not in found


def test_the_brake_is_told_and_all_taken_back_as_one(site: Visitors, scene: Scene) -> None:
    """Take back, undo that, and let it go on."""
    scene.trigger("mine", brake=1)
    for last in (1, 2):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    text = text_of(site.owner.get("trigger", name="mine"))
    assert "Its brake stopped it" in text
    assert "It would list more than 1 in 10 min" in text
    assert "Let it go on" not in text_of(site.viewer.get("trigger", name="mine"))
    response = site.owner.post("trigger-clear", {}, name="mine")
    assert "Removed 1 listing of the trigger mine" in text_of(response)
    assert "change what was wrong" in text_of(site.owner.get("trigger", name="mine"))
    assert scene.listed() == []
    site.owner.client.post(undo_address(response))
    assert scene.listed() == ["203.0.113.1"]
    assert "goes on" in text_of(site.owner.post("trigger-resume", {}, name="mine"))
    assert "stopped itself" in text_of(site.owner.get("journal"))


@THREADED
def test_an_outsider_sees_nothing_of_it(site: Visitors, scene: Scene) -> None:
    """A trial in the outsider's own account knows nothing of this one's traffic or triggers."""
    scene.trigger("mine")
    scene.see(count=12, outcome=Outcome.AUTH_FAILED, ago=7200)
    own = type(site.outsider)(site.outsider.client, scene.world.outsider.account.pk)
    assert "would have made 0 listings" in said(own, FORM)
    assert own.post("trigger-try", FORM | {"saved": "mine"}).status_code == 404
    assert own.get("trigger", name="mine").status_code == 404
    assert "mine" not in text_of(own.get("triggers"))
