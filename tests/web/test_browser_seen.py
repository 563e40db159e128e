"""Client, check and Live in Chromium, with traffic that came in as a log shipper hands it in."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    LOOKS,
    Look,
    chromium,
    grave_violations,
    hard_to_use,
    scrolls_sideways,
    sign_in,
    watching,
)
from tests.support.service import Service, service
from tests.support.traffic_log import (
    EVIL,
    EVIL_CLIENT,
    LONG_CLIENT,
    NETWORK,
    POOL,
    Lines,
    hand_in,
    month,
    shipping,
)

LINES = Lines()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with two servers, a month of traffic and two listings."""
    with service(tmp_path_factory.mktemp("seen")) as made:
        made.run("server", "add", "mx1")
        made.run("server", "add", "mx2")
        hand_in(made, "mx1", shipping(made, "mx1"), month())
        made.run("block", "192.0.2.0/28", "--reason", "Dial-up pool")
        yield made


@pytest.fixture(scope="module")
def ship(running: Service) -> str:
    """A token for more lines."""
    return shipping(running, "mx1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all of this file."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def signed_in(running: Service, browser: Browser) -> Any:
    """The cookies of the owner."""
    return sign_in(browser, running)


PAGES = (
    f"client/?q={NETWORK}",
    f"client/?q={EVIL_CLIENT}",
    f"client/?q={LONG_CLIENT}",
    "client/?q=.newsletter.example",
    "client/?q=192.0.2.9",
    f"listings/add/?target={NETWORK}",
    f"listings/add/?target={LONG_CLIENT}",
    "live/",
    "live/?q=192.0.2.9",
)


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_everybody_can_use_them(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """axe-core finds nothing serious, nothing is wider than its window, text stays text."""
    with watching(browser, running.url, look, state=signed_in) as page:
        assert hard_to_use(page, f"{running.url}/a/1", PAGES) == {}
        page.goto(f"{running.url}/a/1/client/?q={EVIL_CLIENT}")
        expect(page.locator("main").get_by_text(EVIL).first).to_be_visible()


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[2]], ids=str)
def test_a_dangerous_block_becomes_a_better_one(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """From the page of a network: what it would hit, a narrower one in one click, and done."""
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/client/?q={NETWORK}")
        page.get_by_role("link", name="Block…").click()
        page.get_by_role("link", name="To the second step…").click()
        check = page.locator("#check")
        expect(check).to_contain_text("3 clients delivered 31 accepted messages")
        expect(page.get_by_role("button", name="Block and lose 3 senders")).to_be_disabled()
        page.get_by_label("Reason").fill("Dial-up")
        page.get_by_role("button", name=f"Use this: Block only {POOL}").click()
        expect(page.get_by_label("Targets")).to_have_value(POOL)
        expect(page.get_by_label("Reason")).to_have_value("Dial-up")
        expect(check).to_contain_text("no mail accepted that would be lost")
        page.get_by_role("button", name=f"Block {POOL}").click()
        expect(page.get_by_role("status").first).to_contain_text(f"Blocked {POOL} on all servers")
        page.get_by_role("button", name="Undo", exact=True).first.click()


def test_the_second_step_while_one_types(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """It comes and goes with the target; Enter in a field does not take a better way instead."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/add/")
        page.get_by_label("Targets").fill(NETWORK)
        sure = page.get_by_label("Type to confirm")
        sure.fill("198.51.100.0")
        expect(page.get_by_role("button", name="Block and lose")).to_be_disabled()
        page.get_by_label("Reason").press("Enter")
        expect(page.get_by_text("that is something else")).to_be_visible()
        expect(page.get_by_label("Targets")).to_have_value(NETWORK)
        sure.fill(NETWORK)
        page.get_by_role("button", name="Block and lose 3 senders").click()
        expect(page.get_by_role("status").first).to_contain_text(f"Blocked {NETWORK}")
        page.get_by_role("button", name="Undo", exact=True).first.click()


def test_the_second_step_without_script(running: Service, browser: Browser, signed_in: Any) -> None:
    """The server asks for it, and takes it."""
    look = Look(390, 844, "light", script=False)
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/add/?target={NETWORK}")
        page.get_by_role("button", name="Block and lose 3 senders").click()
        expect(page.get_by_text("nothing is blocked yet")).to_be_visible()
        page.get_by_label("Type to confirm").fill(NETWORK)
        page.get_by_role("button", name="Block and lose 3 senders").click()
        expect(page.get_by_role("status").first).to_contain_text(f"Blocked {NETWORK}")
        page.get_by_role("button", name="Undo", exact=True).first.click()


def send(running: Service, ship: str, *clients: str) -> None:
    """A rejected contact of each of these, now."""
    now = datetime.now(UTC)
    lines = [line for one in clients for line in LINES.listed(one, "unknown", now)]
    hand_in(running, "mx1", ship, lines)


def shown(page: Page, client: str) -> Any:
    """The rows of a client."""
    return page.locator("[data-stream] tr").filter(
        has=page.get_by_role("link", name=client, exact=True)
    )


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_live(running: Service, browser: Browser, signed_in: Any, ship: str, look: Look) -> None:
    """Rows come by themselves, wait while paused, and lead to a block.

    Whoever has come from elsewhere with their clock sees all of them by the one they have now.
    """
    net = f"203.0.{LOOKS.index(look)}"
    with watching(browser, running.url, look, state=signed_in) as page:
        page.context.add_cookies([{"name": "zone", "value": "Asia/Tokyo", "url": running.url}])
        loads: list[str] = []
        page.on("framenavigated", lambda frame: loads.append(frame.url))
        page.goto(f"{running.url}/a/1/live/")
        expect(page.locator(".head .meta")).to_contain_text("Times in Europe/Berlin")
        expect(page.get_by_text("Asia/Tokyo")).to_have_count(0)
        expect(page.locator("[data-stream] time[title$=' Europe/Berlin']").first).to_be_visible()
        expect(page.locator("[data-stream] time:not([title$=' Europe/Berlin'])")).to_have_count(0)
        assert len(loads) == 1
        expect(page.locator("[data-state]")).to_have_text("Connected")
        send(running, ship, f"{net}.1")
        expect(shown(page, f"{net}.1")).to_have_count(1)
        expect(page.locator("[data-stream] tr").first).to_contain_text("Public RBL")
        expect(page.locator("[data-stream] tr").first.locator(".srv")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        send(running, ship, f"{net}.2", f"{net}.3")
        expect(page.locator("[data-waiting]")).to_contain_text("2 new ones wait")
        expect(shown(page, f"{net}.2")).to_have_count(0)
        page.keyboard.press("p")
        expect(shown(page, f"{net}.2")).to_have_count(1)
        expect(shown(page, f"{net}.3")).to_have_count(1)
        now = datetime.now(UTC)
        hand_in(running, "mx1", ship, LINES.evil(f"{net}.4", now))
        expect(shown(page, f"{net}.4")).to_contain_text(EVIL)
        assert page.locator("main img").count() == 0
        assert grave_violations(page) == []
        assert not scrolls_sideways(page)
        page.get_by_role("link", name=f"Block {net}.2", exact=True).click()
        pop = page.locator("#act")
        expect(pop.get_by_role("button", name=f"Block {net}.2")).to_be_visible()
        send(running, ship, f"{net}.5")
        expect(page.locator("[data-count]")).to_contain_text("1 new one waits")
        pop.get_by_role("button", name="Cancel").click()
        expect(shown(page, f"{net}.5")).to_have_count(1)


def test_nothing_is_missed_or_doubled(
    running: Service, browser: Browser, signed_in: Any, ship: str
) -> None:
    """What came while there was no connection comes with the next one; 200 rows are kept."""
    expected = ("net::ERR", "Failed to load resource")
    with watching(browser, running.url, LOOKS[0], state=signed_in, expected=expected) as page:
        page.goto(f"{running.url}/a/1/live/")
        expect(page.locator("[data-state]")).to_have_text("Connected")
        # What is under way is not cut by this, but no new connection comes through.
        page.context.set_offline(True)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator("[data-state]")).not_to_have_text("Connected")
        send(running, ship, *(f"203.0.100.{last}" for last in range(1, 6)))
        page.context.set_offline(False)
        for last in range(1, 6):
            expect(shown(page, f"203.0.100.{last}")).to_have_count(1)
        send(running, ship, *(f"203.0.{101 + at // 250}.{at % 250 + 1}" for at in range(400)))
        expect(shown(page, "203.0.102.150")).to_have_count(1)
        expect(page.locator("[data-stream] tr")).to_have_count(200)


def test_live_says_who_is_signed_out(running: Service, browser: Browser, signed_in: Any) -> None:
    """As in another window: no fault of the connection; who signs in again sees it go on."""
    expected = ("MIME type", "Failed to load resource")
    with watching(browser, running.url, LOOKS[0], state=signed_in, expected=expected) as page:
        page.goto(f"{running.url}/a/1/live/")
        state = page.locator("[data-state]")
        expect(state).to_have_text("Connected")
        page.context.clear_cookies(name="sessionid")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(state).to_contain_text("you are signed out")
        page.context.add_cookies(signed_in["cookies"])
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(state).to_have_text("Connected")


def test_filters_hold_for_what_comes(
    running: Service, browser: Browser, signed_in: Any, ship: str
) -> None:
    """A chip and a network, chosen in the page."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/live/")
        page.get_by_label("Client, network or name").fill("203.0.110.0/24")
        page.get_by_role("button", name="Show").click()
        page.get_by_label("Public RBL").check()
        expect(page.locator("[data-state]")).to_have_text("Connected")
        assert "show=rbl" in page.url
        expect(page.get_by_text("Nothing yet.")).to_be_visible()
        now = datetime.now(UTC)
        hand_in(running, "mx1", ship, LINES.accepted("203.0.110.7", "ok.example", now))
        send(running, ship, "203.0.111.1", "203.0.110.1")
        expect(shown(page, "203.0.110.1")).to_have_count(1)
        expect(page.locator("[data-stream] tr")).to_have_count(1)


def test_live_without_script(running: Service, browser: Browser, signed_in: Any, ship: str) -> None:
    """One loads the page again; what only script can do is not shown."""
    look = Look(390, 844, "light", script=False)
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/live/")
        expect(page.get_by_role("button", name="Pause")).not_to_be_visible()
        send(running, ship, "203.0.120.1")
        page.get_by_role("link", name="Refresh").click()
        expect(shown(page, "203.0.120.1")).to_have_count(1)
