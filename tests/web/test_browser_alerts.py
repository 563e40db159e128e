"""Alerts, suggestions and public RBLs in Chromium, with what a real worker has found."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import (
    LOOKS,
    Look,
    chromium,
    hard_to_use,
    watching,
)
from tests.support.mail_sink import Sink, mail_sink
from tests.support.postfix_dns import Zone, name_server
from tests.support.service import Service, make_service
from tests.support.traffic_log import Lines, hand_in, month, shipping

PASSWORD = "correct horse staple"
SENDER = "203.0.113.77"
THIRD = "rbl.third.example"
OFFENDER = "192.0.2.99"
OLD = "192.0.2.201"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """The mail server that takes our mail."""
    with mail_sink() as made:
        yield made


@pytest.fixture(scope="module")
def resolver() -> Iterator[str]:
    """Where a public list is asked that works."""
    third = Zone(THIRD)
    for listed in (SENDER, "127.0.0.2"):
        third.list_address(listed)
    with name_server(third) as made:
        yield f"{made.address}:53"


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, sink: Sink, resolver: str
) -> Iterator[Service]:
    """The service, in which a worker has found that somebody who had delivered is listed."""
    made = make_service(
        tmp_path_factory.mktemp("alerts"),
        smtp_host="127.0.0.1",
        smtp_port=str(sink.port),
        mail_from="mailmum@rbl.example.net",
        rbl_resolver=resolver,
    )
    with made.up():
        made.run("server", "add", "mx1")
        token = shipping(made, "mx1")
        hand_in(made, "mx1", token, month())
        lines = Lines()
        hand_in(
            made, "mx1", token, lines.accepted(SENDER, "out.customer.example", datetime.now(UTC))
        )
        for day in range(4):
            when = datetime.now(UTC) - timedelta(days=day)
            seen = [line for _ in range(6) for line in lines.listed(OFFENDER, "unknown", when)]
            hand_in(made, "mx1", token, seen)
        made.run("block", SENDER)
        made.run("block", OLD, "--for", "5d", "--reason", "x" * 250)
        made.run("rbl", "add", THIRD)
        link = made.sign_in_link()
    # A worker looks as soon as it starts.
    with made.up():
        made.environment["TEST_LINK"] = link
        made.eventually(lambda: bool(made.json("alerts", "list")), 60)
        made.eventually(lambda: bool(made.json("suggestions", "list")), 60)
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
        page.goto(running.environment["TEST_LINK"])
        page.get_by_role("button", name="Sign in as").click()
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Set it and go on").click()
        expect(page.get_by_role("navigation", name="Pages").first).to_be_attached()
        return page.context.storage_state()


PAGES = (
    "alerts/",
    "alerts/past/",
    "alerts/report/",
    "alerts/channels/",
    "suggestions/",
    "rbls/",
    f"client/?q={SENDER}",
)


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_everybody_can_use_them(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """axe-core finds nothing serious, nothing is wider than its window."""
    with watching(browser, running.url, look, state=signed_in) as page:
        assert hard_to_use(page, f"{running.url}/a/1", PAGES) == {}
        page.goto(f"{running.url}/a/1/alerts/report/")
        expect(page.locator(".rep").last).to_contain_text(OLD)
        wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
        assert page.locator("main .scroll").evaluate_all(wide) == 0


def test_from_an_alert_to_who_is_told(
    running: Service, browser: Browser, signed_in: Any, sink: Sink
) -> None:
    """Seen, and from then on by mail; the test button tells the truth; and who it is can change."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/alerts/")
        row = page.locator(".feed li").filter(has_text=SENDER)
        expect(row).to_contain_text("from which 1 message was accepted")
        count = page.locator(".app > .side .count.hot")
        before = int(count.inner_text())
        row.get_by_role("button", name="I have seen alert").click()
        expect(row).to_contain_text("seen by")
        expect(count).to_have_count(0) if before == 1 else expect(count).to_have_text(
            str(before - 1)
        )
        page.get_by_role("link", name="Say who is told").click()
        page.get_by_label("Name", exact=True).fill("on call")
        page.get_by_label("Mail address or URL").fill("oncall@example.net")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("status").first).to_contain_text("Added on call")
        page.get_by_role("button", name="Test on call").click()
        expect(page.get_by_role("status").first).to_contain_text("was taken by the other side")
        assert sink.messages(1)[0]["To"] == "oncall@example.net"
        page.get_by_role("link", name="Edit on call").click()
        page.get_by_label("Mail address").fill("night@example")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Mail address")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Mail address").fill("night@example.net")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".feed li").filter(has_text="on call")).to_contain_text("night@")
    running.run("alerts", "add", "hook" * 20, "https://hook.example/in")
    with watching(browser, running.url, LOOKS[3], state=signed_in) as page:
        assert hard_to_use(page, f"{running.url}/a/1", ("alerts/channels/2/",)) == {}
        expect(page.get_by_role("button", name="Make a new key")).to_be_visible()


def test_a_suggestion_becomes_a_listing_and_not(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """One click, and another that takes it back."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/suggestions/")
        page.get_by_role("button", name=f"Accept: Block a client {OFFENDER}").click()
        expect(page.get_by_role("status").first).to_contain_text("Done.")
        assert running.json("explain", OFFENDER)["verdict"] == "block"
        page.get_by_role("status").get_by_role("button", name="Undo").click()
        running.eventually(lambda: running.json("explain", OFFENDER)["verdict"] == "none")


def test_what_a_public_list_says(running: Service, browser: Browser, signed_in: Any) -> None:
    """Comes by itself on the page of a client; without script by a link."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/rbls/")
        expect(page.locator("#caught")).to_contain_text("zen.dnsbl.example")
        page.goto(f"{running.url}/a/1/client/?q={SENDER}")
        expect(page.locator("#rbls")).to_contain_text(f"{THIRD} lists it")
    look = Look(390, 844, "light", script=False)
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/client/?q=203.0.113.78")
        page.get_by_role("link", name="Ask them").click()
        expect(page.locator("#rbls")).to_contain_text(f"{THIRD} does not list it")
