"""Triggers in Chromium: from a ready-made one, tried while it is typed, to the first listing."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    LOOKS,
    Look,
    chromium,
    grave_violations,
    scrolls_sideways,
    watching,
)
from tests.support.feed import feed
from tests.support.service import Service, service

PASSWORD = "correct horse staple"
CLIENT = "203.0.113.7"


def attack(
    client: str, count: int, ago: float, outcome: str = "auth-failed"
) -> list[dict[str, Any]]:
    """Contacts of a client, a second apart."""
    begin = time.time() - ago
    return [{"client": client, "outcome": outcome, "time": begin + one} for one in range(count)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a server and some days of traffic."""
    with service(tmp_path_factory.mktemp("triggers")) as made:
        made.run("server", "add", "mx1")
        seen = []
        for day in range(1, 12):
            for last in range(1, 2 + day % 4):
                seen += attack(f"198.51.100.{last}", 12 + last, day * 86_400)
        seen += attack("192.0.2.25", 12, 3 * 86_400) + attack("192.0.2.25", 3, 86_400, "accepted")
        feed(made, "mx1", seen)
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all of this file."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def signed_in(running: Service, browser: Browser) -> Any:
    """The cookies of the owner."""
    with watching(browser, running.url, LOOKS[0]) as page:
        page.goto(running.sign_in_link())
        page.get_by_role("button", name="Sign in as").click()
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Set it and go on").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
        return page.context.storage_state()


def fine(page: Page) -> None:
    """Nothing that axe finds grave, and nothing wider than the window."""
    assert not grave_violations(page)
    assert not scrolls_sideways(page)


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_from_a_ready_made_one_to_the_first_listing(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """Tried while it is typed, saved, enforced; then who offends is listed by itself."""
    name, client = f"guesses-{look}", f"203.0.113.{LOOKS.index(look) + 10}"
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/triggers/")
        fine(page)
        page.get_by_role("link", name="Try password-guessing").click()
        trial = page.locator("#trial")
        expect(trial).to_contain_text(re.compile(r"made \d+ listings and hit 1 client "))
        fine(page)
        page.get_by_label("reach").fill("14")
        expect(trial).to_contain_text(re.compile(r"made \d+ listings and hit 0 clients"))
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("reach").fill("10")
        page.locator("label", has_text="Enforce").click()
        page.locator(".submit").get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        fine(page)
        wait_until_followed(running, name)
        feed(running, "mx1", attack(client, 10, 30))
        link = page.get_by_role("link", name=client, exact=True).first
        for _ in range(40):
            page.reload()
            if link.count():
                break
            page.wait_for_timeout(250)
        expect(link).to_be_visible()
        page.locator("summary", has_text="Evidence").first.click()
        expect(page.get_by_text("10 within 1 h are enough").first).to_be_visible()
        fine(page)
        page.get_by_role("button", name="Switch off").click()
        expect(page.get_by_text("is now: off")).to_be_visible()


def wait_until_followed(running: Service, name: str) -> None:
    """A trigger counts from when the worker has taken it up: a moment after it was saved."""
    running.eventually(lambda: bool(running.json("trigger", "show", name)["counting"]), 60)


def test_a_trial_that_breaks_off(running: Service, browser: Browser, signed_in: Any) -> None:
    """Does not look as if it went on; the next one works."""
    expected = ("Failed to load resource", "Error Code 503")
    with watching(browser, running.url, LOOKS[0], state=signed_in, expected=expected) as page:
        page.goto(f"{running.url}/a/1/triggers/add/?preset=password-guessing")
        trial = page.locator("#trial")
        expect(trial).to_contain_text("this setting would have")
        page.route("**/try/", lambda route: route.fulfill(status=503, body="away"), times=1)
        page.get_by_label("reach").fill("14")
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        expect(trial.get_by_role("progressbar")).to_have_count(0)
        page.get_by_label("reach").fill("15")
        expect(trial).to_contain_text("15 sessions with failed logins")


def test_without_script_a_button_tries_it(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """The same figures, in a page of their own; what was typed stays."""
    look = Look(1440, 900, "light", script=False)
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/triggers/add/?preset=password-guessing")
        page.get_by_label("reach").fill("14")
        page.get_by_role("button", name="Try it").click()
        expect(page.locator("#trial")).to_contain_text("and hit 0 clients")
        expect(page.get_by_label("reach")).to_have_value("14")
