"""Acting on listings in Chromium: from a row, on many at once, from files."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import (
    LOOKS,
    Look,
    chromium,
    grave_violations,
    scrolls_sideways,
    sign_in,
    watching,
)
from tests.support.service import Service, service
from tests.support.week import EVIL, LONG_CLIENT, LONG_NAME, feed_service


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a week of traffic and more than a page of listings."""
    with service(tmp_path_factory.mktemp("acts")) as made:
        made.run("server", "add", "mx1")
        made.run("server", "add", "mx2")
        made.run("block", *(f"192.0.2.{last}" for last in range(120, 180)), "--reason", EVIL)
        made.run("allow", LONG_CLIENT, "--server", "mx1")
        feed_service(made, count=400)
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all of this file."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def signed_in(running: Service, browser: Browser) -> Any:
    """The cookies of the owner."""
    return sign_in(browser, running)


def sound(page: Page) -> None:
    """Nothing that axe-core calls serious, and nothing wider than the window."""
    assert grave_violations(page) == []
    assert not scrolls_sideways(page)


def listed(running: Service, target: str) -> list[dict[str, Any]]:
    """Listings of exactly this target."""
    found: list[dict[str, Any]] = running.json("listings", "--covering", target)
    return [one for one in found if one["target"] == target]


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_from_a_row(running: Service, browser: Browser, signed_in: Any, look: Look) -> None:
    """By keyboard: the popover, a choice, block or allow, its mark in the row, undo in place."""
    word, done = (("Block", "Blocked"), ("Allow", "Allowed"))[LOOKS.index(look) % 2]
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/search/?q=203.0.113.66")
        row = page.locator("#results tbody tr").first
        page.keyboard.press("j")
        page.keyboard.press(word[0].lower())
        pop = page.locator("#act")
        go = pop.get_by_role("button", name=f"{word} 203.0.113.66")
        expect(go).to_be_visible()
        expect(pop.get_by_role("heading")).to_be_focused()
        sound(page)
        pop.get_by_label("Only mx1").check()
        expect(pop.get_by_label("Only mx1")).to_be_focused()
        if word == "Block":
            pop.get_by_label("Reason").fill(EVIL)
        go.press("Enter")
        expect(pop).to_contain_text(f"{done} 203.0.113.66 on mx1")
        expect(row).to_contain_text(done.lower())
        (made,) = listed(running, "203.0.113.66")
        assert (made["action"], made["reason"]) == (word.lower(), EVIL if word == "Block" else "")
        sound(page)
        page.keyboard.press("Tab")
        expect(pop.get_by_role("button", name="Undo")).to_be_focused()
        page.keyboard.press("Enter")
        expect(pop).to_contain_text("Undid")
        assert listed(running, "203.0.113.66") == []
        page.keyboard.press("Escape")
        expect(pop).to_be_hidden()
        expect(row.get_by_role("link", name=f"{word} 203.0.113.66")).to_be_focused()
        expect(row.locator("[data-did]")).to_have_count(0)


def test_who_does_not_wait_for_the_impact(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """What is still asked when somebody blocks is dropped, and does not cover what became of it."""
    held: list[Route] = []
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/search/?q=203.0.113.66")
        page.get_by_role("link", name="Block 203.0.113.66").first.click()
        pop = page.locator("#act")
        go = pop.get_by_role("button", name="Block 203.0.113.66")
        expect(go).to_be_visible()
        page.route(
            "**/listings/act/*",
            lambda route: (
                held.append(route) if route.request.method == "GET" else route.continue_()
            ),
        )
        with page.expect_request("**/listings/act/?*"):
            pop.get_by_label("Only mx1").check()
        go.focus()
        with page.expect_response("**/listings/act/?*"):
            held.pop().continue_()
        page.wait_for_load_state("networkidle")
        expect(go).to_be_focused()  # though the answer has brought another in its place
        with page.expect_request("**/listings/act/?*"):
            pop.get_by_label("203.0.113.0/24").check()
        go.press("Enter")
        expect(pop).to_contain_text("Blocked 203.0.113.0/24 on mx1")
        for route in held:
            route.continue_()
        page.wait_for_load_state("networkidle")
        expect(pop).to_contain_text("Blocked 203.0.113.0/24 on mx1")
        pop.get_by_role("button", name="Undo").click()
        expect(pop).to_contain_text("Undid")


def test_who_goes_on_to_another_row(running: Service, browser: Browser, signed_in: Any) -> None:
    """Does not wait for the one before, nor ever sees it under this one."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/search/?q=203.0.113.0/24")
        links = page.locator("#results a[data-act]").filter(has_text="Block")
        names = [link.get_attribute("href") or "" for link in links.all()]
        other = next(at for at, name in enumerate(names) if name != names[0])
        page.route("**/listings/act/*", hold, times=1)
        with page.expect_request("**/listings/act/?*"):
            links.first.click()
        links.nth(other).click()
        target = parse_qs(urlsplit(names[other]).query)["target"][0]
        expect(page.locator("#act").get_by_role("button", name=f"Block {target}")).to_be_visible()
        held.pop().abort()


def test_a_popover_that_cannot_be_had(running: Service, browser: Browser, signed_in: Any) -> None:
    """Closes, and the page says so; the link itself still leads to the form."""
    expected = ("Failed to load resource", "Error Code 503")
    with watching(browser, running.url, LOOKS[0], state=signed_in, expected=expected) as page:
        page.goto(f"{running.url}/a/1/search/?q=203.0.113.66")
        page.route("**/listings/act/*", lambda route: route.fulfill(status=503, body="away"))
        link = page.get_by_role("link", name="Block 203.0.113.66").first
        link.click()
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        expect(page.locator("#act")).to_be_hidden()
        page.goto(f"{running.url}{link.get_attribute('href')}")
        expect(page.get_by_label("Targets")).to_have_value("203.0.113.66")


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_many_at_once(running: Service, browser: Browser, signed_in: Any, look: Look) -> None:
    """All that a filter finds: how many and whom, the change, and its undo."""
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/")
        page.get_by_label("Find").fill("192.0.2.128/25")
        expect(page.locator("#results")).to_contain_text("of 52")
        page.locator("#results [name=number]").first.check()
        expect(page.locator("[data-chosen]")).to_have_text("1 chosen")
        page.get_by_label("All 52 that fit").check()
        expect(page.locator("[data-chosen]")).to_have_text("All chosen")
        page.get_by_role("button", name="Change…").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Change 52 listings")
        sound(page)
        page.get_by_label("7 days", exact=True).check()
        page.get_by_label("Where they hold").select_option("mx2")
        page.get_by_role("button", name="Change 52 listings").click()
        expect(page.get_by_role("status")).to_contain_text("Changed 52 listings.")
        assert listed(running, "192.0.2.150")[0]["scope"] == "mx2"
        page.get_by_role("status").get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("Undid")
        assert listed(running, "192.0.2.150")[0]["scope"] == "account"
        page.get_by_role("searchbox", name="Find").fill("")
        page.get_by_label("Allow 1").check()
        expect(page.locator("#results tbody tr")).to_have_count(1)
        assert "action=allow" in page.url


@pytest.mark.parametrize("look", [LOOKS[1], LOOKS[2]], ids=str)
def test_a_file(
    running: Service, browser: Browser, signed_in: Any, look: Look, tmp_path: Path
) -> None:
    """What would change, a refused line left out, a guarded one typed; then out again as JSON."""
    chosen = tmp_path / "drop.txt"
    net = f"198.18.{LOOKS.index(look)}"
    chosen.write_text(f"{net}.0/24\n{net}.7\nnot a target at all\n10.{LOOKS.index(look)}.0.0/16\n")
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/")
        page.get_by_role("link", name="Import…").click()
        page.get_by_label("File at most").set_input_files(chosen)
        page.get_by_label("Mine", exact=True).check()
        page.get_by_label("Format").select_option("plain")
        page.get_by_role("button", name="See what would change…").click()
        expect(page.get_by_role("heading", name="What would change")).to_be_visible()
        expect(page.get_by_text("Line 4:")).to_contain_text("private")
        sound(page)
        page.get_by_label("Leave refused lines out").check()
        page.get_by_label("Type to list these too").fill("list 1 guarded target")
        page.get_by_role("button", name="Import 2 changes").click()
        expect(page.get_by_role("status")).to_contain_text("3 added, 0 changed; 1 line left out")
        assert listed(running, f"{net}.7")
        page.get_by_label("Find").fill(f"{net}.0/24")
        expect(page.locator("#results tbody tr")).to_have_count(2)
        page.goto(f"{running.url}/a/1/listings/export/?q={net}.0/24")
        expect(page.get_by_text("The 2 listings that fit the filter.")).to_be_visible()
        page.get_by_label("JSON: everything").check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        found = json.loads(Path(download.value.path()).read_text())
        assert {one["target"] for one in found} == {f"{net}.0/24", f"{net}.7"}


@pytest.mark.parametrize("look", [LOOKS[0]], ids=str)
def test_time_of_a_client(running: Service, browser: Browser, signed_in: Any, look: Look) -> None:
    """How far back, by links; dragging over days leads to their sightings."""
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/")
        page.get_by_label("Search", exact=True).fill("203.0.113.0/24")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("203.0.113.0/24")
        page.get_by_role("navigation", name="How far back").get_by_role("link", name="Week").click()
        chart = page.locator(".figwrap svg.chart")
        expect(chart).to_have_attribute("data-n", "8")
        box = chart.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.5 * box["width"], middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], middle)
        page.mouse.move(box["x"] + 0.95 * box["width"], middle)
        page.mouse.up()
        page.wait_for_url("**/search/?q=203.0.113.0*since=*until=*")
        expect(page.locator("#results tbody tr").first).to_contain_text("203.0.113.")


def test_the_whole_of_a_value_that_is_cut(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """Shows beside it, and goes with Escape, and with the value."""
    running.run("allow", LONG_NAME)
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/?q={LONG_NAME}")
        value = page.locator(f"#results [data-full='{LONG_NAME}']")
        tip = page.locator(".tip:popover-open")
        value.hover()
        expect(tip).to_have_text(LONG_NAME)
        page.keyboard.press("Escape")
        expect(tip).to_have_count(0)
        page.mouse.move(1, 1)
        value.hover()
        expect(tip).to_have_text(LONG_NAME)
        page.get_by_label("Find").fill("192.0.2.120")
        expect(value).to_have_count(0)
        expect(tip).to_have_count(0)


def test_a_note_keeps_its_lines(running: Service, browser: Browser, signed_in: Any) -> None:
    """As somebody wrote them."""
    note = "Asked for by sales\nLook again in May"
    running.run("allow", "192.0.2.68", "--note", note)
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/?q=192.0.2.68")
        page.locator("#results").get_by_role("link", name="192.0.2.68", exact=True).click()
        expect(page.get_by_role("heading", name="192.0.2.68")).to_be_visible()
        assert page.locator("dd.lines").inner_text() == note


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("feeds/add/?kind=upload", "mailmum feed add NAME FILE"),
        ("listings/import/", "mailmum import FILE"),
    ],
)
def test_a_file_that_is_too_large_is_not_sent(
    running: Service, browser: Browser, signed_in: Any, tmp_path: Path, path: str, command: str
) -> None:
    """The field says so at once, and what takes it."""
    large, small = tmp_path / "large.txt", tmp_path / "small.txt"
    large.write_bytes(b"#" * (4 * 1024 * 1024))
    small.write_text("203.0.113.7")
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/{path}")
        field = page.locator("input[type=file]")
        field.set_input_files(large)
        assert command in field.evaluate("one => one.validationMessage")
        field.set_input_files(small)
        assert field.evaluate("one => one.checkValidity()")


def test_keys_can_be_switched_off(running: Service, browser: Browser, signed_in: Any) -> None:
    """For whoever speaks to the computer; on every page, after a reload too, until switched on."""
    with watching(browser, running.url, LOOKS[1], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/live/")
        page.locator("[popovertarget=person]").click()
        page.get_by_role("button", name="Keys…").click()
        page.get_by_label("Use these keys").uncheck()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.locator(".search kbd")).to_be_hidden()
        for _ in range(2):
            for key in "tp/?":
                page.keyboard.press(key)
            expect(page.locator("[data-pause]")).to_have_attribute("aria-pressed", "false")
            expect(page.locator("html")).not_to_have_attribute("data-theme", re.compile("."))
            expect(page.get_by_label("Search", exact=True)).not_to_be_focused()
            expect(page.get_by_role("dialog")).to_be_hidden()
            page.reload()
        page.get_by_role("button", name="Keys", exact=True).click()
        expect(page.get_by_label("Use these keys")).not_to_be_checked()
        page.get_by_label("Use these keys").check()
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("p")
        expect(page.locator("[data-pause]")).to_have_attribute("aria-pressed", "true")


def test_what_a_page_of_live_came_with_counts(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """The number of the last minute is not that since the page was opened."""
    zone = running.json("server", "show", "mx1")["zones"]["bl"]
    running.lookup(f"9.113.0.203.{zone}")
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/live/?q=203.0.113.9")
        expect(page.locator("[data-rows] tr").first).to_be_visible()
        page.reload()
        expect(page.locator("[data-rate]")).to_have_text(", 1 in the last minute")
