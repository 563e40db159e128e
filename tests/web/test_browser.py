"""The pages in Chromium, served by `mailmum up`: what a person does, at a desk and on a phone."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

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
from tests.support.pieces import pieces
from tests.support.service import Service, service
from tests.support.week import EVIL, LONG_CLIENT, feed_service

LONG_NAME = "a-mail-server-with-quite-a-long-name.eu-central.backup.example.net"
LONG_ADDRESS = "2001:db8:dead:beef:cafe:babe:1234:5678"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, with things of odd length and content in it."""
    with service(tmp_path_factory.mktemp("browser")) as made:
        made.run("server", "add", LONG_NAME)
        made.run("block", LONG_ADDRESS, "--reason", EVIL, "--note", EVIL)
        made.run("allow", "192.0.2.66", "--server", LONG_NAME, "--for", "7d")
        made.run("block", *(f"198.51.100.{i}" for i in range(60)), "--reason", "x" * 300)
        feed_service(made)
        folder = made.data / "feeds"
        folder.mkdir()
        for lines in (60, 2):
            (folder / "web.txt").write_text("".join(f"203.0.113.{n + 128}\n" for n in range(lines)))
            words = ("add", "drop", "file:web.txt") if lines == 60 else ("refresh", "drop")
            made.run("feed", *words)
        made.run("feed", "add", LONG_NAME, "file:missing.txt", "--reason", EVIL, status=1)
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all; it ends with this file, since Django works in no thread that has its loop."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def signed_in(running: Service, browser: Browser) -> Any:
    """The cookies of somebody who came by the link that `up` printed, and set a password."""
    return sign_in(browser, running)


def go(page: Page, look: Look, name: str) -> None:
    """Follow a link of the navigation, which is a bar with a menu on a phone."""
    place = page.locator("nav.bar" if look.phone else ".app > .side")
    if look.phone and not place.get_by_role("link", name=name).count():
        place.get_by_role("button", name="More").click()
        place = page.locator("#menu")
    place.get_by_role("link", name=name).first.click()


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_what_an_administrator_does(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """Add a server, block, search, edit, remove, undo; and DNS obeys each time."""
    number = LOOKS.index(look)
    name, net = f"mx{number}", f"203.0.113.{number * 32}/27"
    inside = f"203.0.113.{number * 32 + 7}"
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(running.url)
        go(page, look, "Servers")
        page.get_by_role("link", name="Add a server").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Add the server").click()
        expect(page.locator(".toasts")).to_contain_text(f"Added the server {name}.")
        zone = page.locator("#zone-bl").inner_text()
        question = ".".join(reversed(inside.split("."))) + f".{zone}"
        page.get_by_role("button", name="Copy the zone of blocked addresses").click()

        go(page, look, "Listings")
        page.get_by_role("link", name="Add", exact=True).click()
        page.get_by_label("Targets").fill(net)
        expect(page.locator("#check")).to_contain_text("IPv4 network, 32 addresses")
        page.get_by_label("Reason").fill("Sent spam")
        page.get_by_text("7 days").click()
        page.get_by_role("button", name=f"Block {net}").click()
        expect(page.get_by_role("status")).to_contain_text(f"Blocked {net} on all servers")
        running.eventually(lambda: running.lookup(question) == ["127.0.0.3"])

        page.get_by_label("Find").fill(inside)
        expect(page.locator("#results tbody tr")).to_have_count(1)
        assert page.url.endswith(f"?q={inside}")
        page.locator("#results").get_by_role("link", name=net, exact=True).click()
        page.get_by_role("link", name="Edit").click()
        page.get_by_text("Allow", exact=True).click()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("from blocked to allowed")
        running.eventually(lambda: running.lookup(question) == [])

        page.get_by_role("button", name="Undo", exact=True).first.click()
        running.eventually(lambda: running.lookup(question) == ["127.0.0.3"])
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("status")).to_contain_text(f"Removed {net}.")
        running.eventually(lambda: running.lookup(question) == [])
        page.get_by_role("status").get_by_role("button", name="Undo").click()
        running.eventually(lambda: running.lookup(question) == ["127.0.0.3"])


def test_the_same_without_script(running: Service, browser: Browser, signed_in: Any) -> None:
    """Plain forms and links do it all; what only script can do is not shown."""
    look = Look(390, 844, "light", script=False)
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/")
        page.get_by_role("link", name="Add", exact=True).click()
        page.get_by_label("Targets").fill("10.0.0.0/8\n203.0.113.200")
        page.get_by_role("button", name="Block", exact=True).click()
        page.get_by_label("Type to confirm").fill("block 2 targets")
        page.get_by_role("button", name="Block it").click()
        expect(page.get_by_role("status")).to_contain_text("Blocked 2 targets on all servers")
        expect(page.locator("[data-dismiss]")).not_to_be_visible()
        page.get_by_label("Find").fill("203.0.113.200")
        page.get_by_role("button", name="Show").click()
        page.get_by_label("Choose 203.0.113.200").check()
        page.locator(".bulk").get_by_role("button", name="Remove").click()
        page.get_by_role("status").get_by_role("button", name="Undo").click()
        expect(page.get_by_label("Choose 203.0.113.200")).to_be_visible()


def test_the_confirmation_comes_while_one_types(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """And goes when the target needs none any more."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/")
        page.get_by_role("link", name="Add", exact=True).click()
        page.get_by_label("Targets").fill("10.0.0.0/8")
        field = page.get_by_label("Type to confirm: 10.0.0.0/8")
        expect(field).to_be_visible()
        expect(page.get_by_role("button", name="Block it")).to_be_disabled()
        field.fill("10.0.0.0/8")
        expect(page.get_by_role("button", name="Block it")).to_be_enabled()
        page.get_by_text("Allow", exact=True).first.click()
        expect(page.get_by_label("Allow 10.0.0.0/8 all the same")).to_be_visible()
        page.get_by_label("Targets").fill("203.0.113.7/24")
        expect(page.locator("#check")).to_contain_text("did you mean 203.0.113.0/24?")
        expect(page.get_by_label("all the same")).to_have_count(0)
        expect(page.get_by_label("Type to confirm")).to_have_count(0)


def test_keys(running: Service, browser: Browser, signed_in: Any) -> None:
    """Search, help, rows and colours by keyboard; typing in a field is typing."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(f"{running.url}/a/1/listings/")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        for key in "jjx":
            page.keyboard.press(key)
        expect(page.locator(".bulk")).to_contain_text("1 chosen")
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.emulate_media(color_scheme="dark")
        page.keyboard.press("t")  # always the other one than is shown
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        page.keyboard.press("/")
        page.keyboard.type("jxt")
        expect(page.get_by_label("Search", exact=True)).to_have_value("jxt")
        page.keyboard.press("Enter")
        expect(page.get_by_text("No listing fits")).to_be_visible()


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_from_a_number_to_blocking(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """The home page, the sightings behind a number of it, the form that blocks one of them."""
    with watching(browser, running.url, look, state=signed_in) as page:
        page.goto(running.url)
        page.get_by_role("navigation", name="Time range").get_by_role("link", name="Day").click()
        expect(page.locator("#overview .head")).to_contain_text("against the day before")
        assert page.url.endswith("/a/1/?range=day")
        figure = page.locator(".fig.o-rbl a.n")
        count = int(figure.inner_text())
        figure.click()
        expect(page.locator("#results tbody tr")).to_have_count(min(count, 50))
        expect(page.locator("#results tbody tr").first).to_contain_text("Public RBL")
        page.get_by_label("Find").fill("2001:db8:4f::/48")
        expect(page.locator("#results tbody tr").first).to_contain_text("2001:db8:4f")
        expect(page).to_have_url(re.compile(r"q=2001%3Adb8%3A4f%3A%3A%2F48&what=rbl"))
        page.locator("#results").get_by_role("link", name="Block 2001").first.click()
        pop = page.locator("#act")
        expect(pop).to_contain_text("in 30 days")
        pop.get_by_role("link", name="Full check").click()
        expect(page.locator("#check")).to_contain_text("one IPv6 address")
        go(page, look, "Overview")
        page.get_by_role("navigation", name="Worst of what").get_by_role(
            "link", name="Clients"
        ).click()
        expect(page.get_by_role("heading", name="Worst clients")).to_be_visible()
        expect(page.get_by_role("navigation", name="Time range")).to_be_visible()
        page.goto(f"{running.url}/a/1/search/")
        page.get_by_role("link", name="Older").click()
        expect(page.locator("#results")).to_contain_text("50 older")


def test_zooming(running: Service, browser: Browser, signed_in: Any) -> None:
    """By dragging, and the same by keyboard; the address carries the time; Back leads back."""
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.goto(running.url)
        box = page.locator(".at-desk > svg.chart").bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.301 * box["width"], middle)
        expect(page.locator(".tip:popover-open")).to_contain_text("All")
        page.mouse.down()
        page.mouse.move(box["x"] + 0.35 * box["width"], middle)
        page.mouse.move(box["x"] + 0.4 * box["width"] - 2, middle)
        page.mouse.up()
        page.wait_for_url("**/a/1/?since=*&until=*")
        # 168 hours: from the 51st to the 67th.
        expect(page.locator(".at-desk > svg.chart")).to_have_attribute("data-n", "17")
        page.go_back()
        expect(page.locator(".at-desk > svg.chart")).to_have_attribute("data-n", "168")
        page.get_by_text("As a table").focus()
        page.keyboard.press("Enter")
        page.locator(".numbers tbody a").nth(3).focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/a/1/?since=*&until=*")
        expect(page.locator(".at-desk > svg.chart")).to_have_attribute("data-n", "24")


MOVES = """
window.moved = [];
new PerformanceObserver(list => list.getEntries().forEach(entry => entry.sources.forEach(
  source => moved.push(source.node?.outerHTML?.slice(0, 200) ?? source.node?.textContent)
))).observe({type: "layout-shift", buffered: true});
"""
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
STEADY = (
    "",
    "search/",
    "listings/",
    "listings/add/?target=10.0.0.0/8",
    "client/?q=203.0.113.0/24",
    f"server/{LONG_NAME}/",
    "settings/people/",
    "live/",
)


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[2]], ids=str)
def test_nothing_moves_while_a_page_loads(
    running: Service, browser: Browser, signed_in: Any, look: Look
) -> None:
    """As Chromium measures it: no layout shift, even when the page comes in pieces."""
    found: dict[str, list[str]] = {}
    with (
        pieces(running.url) as url,
        watching(browser, url, look, state=signed_in) as page,
    ):
        page.add_init_script(MOVES)
        # Live once more, made with another clock than the reader's.
        for path, zone in (*((one, "Europe/Berlin") for one in STEADY), ("live/", "Asia/Tokyo")):
            page.context.add_cookies([{"name": "zone", "value": zone, "url": url}])
            page.goto(f"{url}/a/1/{path}")
            if path == "live/":
                expect(page.locator("[data-state]")).to_have_text("Connected")
            page.evaluate(SETTLED)
            if moved := page.evaluate("moved"):
                found[path] = moved
    assert found == {}


def test_what_is_typed_early_is_checked(running: Service, browser: Browser, signed_in: Any) -> None:
    """Before the script that asks has come, too."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        page.route("**/*htmx*.js", hold)
        page.goto(f"{running.url}/a/1/listings/add/", wait_until="commit")
        page.get_by_label("Targets").fill("192.0.2.0/27")
        for route in held:
            route.continue_()
        expect(page.locator("#check")).to_contain_text("IPv4 network, 32 addresses")


def test_text_of_others_stays_text(running: Service, browser: Browser, signed_in: Any) -> None:
    """Markup in a reason is shown as it was written, in every page that shows it."""
    pages = (
        "search/",
        "listings/",
        f"listings/?q={LONG_ADDRESS}",
        f"client/?q={LONG_ADDRESS}",
        "journal/",
    )
    with watching(browser, running.url, LOOKS[0], state=signed_in) as page:
        for path in pages:
            page.goto(f"{running.url}/a/1/{path}")
            if path == "listings/":
                page.get_by_role("link", name="Next").click()
            expect(page.get_by_text(EVIL).first).to_be_visible()
            assert page.locator("img").count() == 0


def test_a_server_that_does_not_answer(running: Service, browser: Browser, signed_in: Any) -> None:
    """What stands there stays, the way back too, and a message says that it is from before."""
    expected = ("Failed to load resource", "Error Code 503")
    with watching(browser, running.url, LOOKS[0], state=signed_in, expected=expected) as page:
        page.goto(f"{running.url}/a/1/listings/add/?action=allow&target=192.0.2.67")
        page.get_by_role("button", name="Allow 192.0.2.67").click()
        undo = page.get_by_role("status").get_by_role("button", name="Undo")
        expect(undo).to_be_visible()
        before = page.locator("#results tbody tr").count()
        page.route("**/listings/?q=*", lambda route: route.fulfill(status=503, body="away"))
        page.get_by_label("Find").fill("203.0.113.1")
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        assert page.locator("#results tbody tr").count() == before
        undo.click()
        expect(page.get_by_role("status")).to_contain_text("Undid")


PAGES = {
    "overview": ("", "?range=month&by=clients", "?since=2026-01-01&until=2026-01-02"),
    "search": (
        "search/",
        f"search/?q={LONG_CLIENT}&once=1",
        "search/?q=203.0.113.7/24",
    ),
    "listings": (
        "listings/",
        "listings/?q=192.0.2.200",
        "listings/?idle=30",
        "listings/?source=person&state=ended",
        "listings/import/",
        "listings/export/?action=block",
        "listings/1/",
        "listings/1/edit/",
        "listings/add/?target=10.0.0.0/8",
    ),
    "client": (
        f"client/?q={LONG_ADDRESS}",
        "client/?q=203.0.113.0/24",
        "client/?q=203.0.113.130",
    ),
    "servers": (
        "servers/",
        "servers/add/",
        f"server/{LONG_NAME}/",
        f"server/{LONG_NAME}/rotate/",
        f"server/{LONG_NAME}/remove/",
    ),
    "feeds": (
        "feeds/",
        "feeds/add/",
        "feeds/add/?kind=upload",
        "feeds/add/?kind=spf",
        "feed/drop/",
        f"feed/{LONG_NAME}/",
        "feed/drop/remove/",
    ),
    "account": (
        "journal/",
        "journal/?who=nobody&since=2h",
        "settings/",
        "settings/people/",
        "settings/tokens/",
        "../../accounts/password/change/",
        "../../accounts/two-factor/",
        "../../accounts/logout/",
    ),
}


@pytest.mark.parametrize("room", PAGES)
@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_every_page_can_be_used_by_everybody(
    running: Service, browser: Browser, signed_in: Any, look: Look, room: str
) -> None:
    """axe-core finds nothing serious, and nothing makes a page wider than its window."""
    with watching(browser, running.url, look, state=signed_in) as page:
        assert hard_to_use(page, f"{running.url}/a/1", PAGES[room]) == {}


def test_what_strangers_see(running: Service, browser: Browser) -> None:
    """Sign-in, the page that explains a reject, and the one for unknown addresses."""
    zones = running.json("server", "show", LONG_NAME)["zones"]
    nibbles = ".".join(reversed("20010db8deadbeefcafebabe12345678"))
    (told,) = running.lookup(f"{nibbles}.{zones['bl']}", "TXT")
    link = re.search(rf"{running.url}/why/\S+?(?=\")", told)
    assert link is not None
    expected = ("Failed to load resource",)
    for look in (LOOKS[1], LOOKS[2]):
        with watching(browser, running.url, look, expected=expected) as page:
            page.goto(link[0])
            expect(page.get_by_role("heading", level=1)).to_contain_text("is refused here")
            expect(page.get_by_text(EVIL)).to_be_visible()
            assert grave_violations(page) == []
            for path in ("accounts/login/", "nowhere/", "enter/nothing/"):
                page.goto(f"{running.url}/{path}")
                assert grave_violations(page) == []
                assert not scrolls_sideways(page)
