"""Debian's Chromium, driven by Playwright, with an eye on what must never happen.

    with chromium() as browser, watching(browser, url, LOOKS[0]) as page:
        page.goto(f"{url}/")

Leaving `watching` fails the test when the console told an error, a script threw, a request went to
another host, or a dialog opened. Playwright's own loop runs in the thread that uses it, and Django
refuses the database there: such tests keep to the pages, and the service is a process of its own.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.service import Service
from tests.support.waiting import PATIENCE

PROGRAM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MILLISECONDS = PATIENCE * 1000
PASSWORD = "correct horse staple"
_GRAVE = {"serious", "critical"}
# Called moderate; but who reads with the ears finds the way by them.
_ALSO = {"region", "heading-order", "page-has-heading-one"}
_ON_TOP = ":popover-open, dialog[open]"
# All rows of a table are made by one template: of a long one the first say it all.
_LATER_ROWS = "tbody tr:nth-child(n+13)"
# A page that is left ends the requests it still waits for, and htmx tells the console of each.
_LEFT = ("htmx:sendAbort", "htmx:afterRequest")


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at the pages: size of the window, colours, whether script runs."""

    width: int
    height: int
    colours: str
    script: bool = True

    def __str__(self) -> str:
        return f"{self.width}-{self.colours}{'' if self.script else '-unscripted'}"

    @property
    def phone(self) -> bool:
        """Whether it is a telephone's."""
        return self.width < 600


LOOKS = tuple(
    Look(width, height, colours)
    for width, height in ((1440, 900), (390, 844))
    for colours in ("light", "dark")
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Raises FileNotFoundError with the fix when there is none."""
    if not PROGRAM.exists():
        raise FileNotFoundError(f"no {PROGRAM}; run script/bootstrap --test")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def watching(
    browser: Browser, url: str, look: Look, *, state: Any = None, expected: tuple[str, ...] = ()
) -> Iterator[Page]:
    """A page in a context of its own.

    Args:
        browser: from `chromium`.
        url: the site; no request may go elsewhere.
        look: size, colours, script.
        state: cookies of an earlier context, from its `storage_state()`.
        expected: texts of console errors that the test causes on purpose.
    """
    problems: list[str] = []
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme="dark" if look.colours == "dark" else "light",
        has_touch=look.phone,
        java_script_enabled=look.script,
        timezone_id="Europe/Berlin",
        storage_state=state,
    )
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    page.on("console", lambda message: _told(problems, message, expected))
    page.on("pageerror", lambda error: problems.append(f"script threw {error}"))
    page.on("dialog", lambda dialog: problems.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: _asked(problems, request.url, url))
    try:
        yield page
        assert not problems, problems
    finally:
        context.close()


def sign_in(browser: Browser, running: Service) -> Any:
    """Come by the link that `up` printed and set a password; the cookies, as `state` for others."""
    with watching(browser, running.url, LOOKS[0]) as page:
        page.goto(running.sign_in_link())
        page.get_by_role("button", name="Sign in as").click()
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Set it and go on").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
        return page.context.storage_state()


def grave_violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical on the page, with the elements it is about.

    Also what has no landmark, headings out of order, and what is too small to tap.
    """
    # What still fades in has less contrast than it is going to have.
    page.evaluate(
        "Promise.allSettled(document.getAnimations().filter("
        "a => a.effect.getComputedTiming().endTime !== Infinity).map(a => a.finished))"
    )
    context = {"exclude": [[_LATER_ROWS]]}
    # Of WCAG 2.2, so off unless asked for; it takes what lies below a popover for its neighbour.
    rules = {"target-size": {"enabled": not page.locator(_ON_TOP).count()}}
    found = Axe().run(page, context=context, options={"rules": rules}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in _GRAVE or one["id"] in _ALSO
        for node in one["nodes"]
    ]


def hard_to_use(page: Page, url: str, paths: Iterable[str]) -> dict[str, list[str]]:
    """What keeps people from using pages of a site: grave violations, wider than the window.

    Returns what is wrong by path, of those only at which something is.
    """
    found: dict[str, list[str]] = {}
    for path in paths:
        page.goto(f"{url}/{path}")
        faults = grave_violations(page)
        if scrolls_sideways(page):
            faults.append("scrolls sideways")
        if page.locator("main img").count():
            faults.append("text has become markup")
        if faults:
            found[path] = faults
    return found


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def _told(problems: list[str], message: Any, expected: tuple[str, ...]) -> None:
    if message.type == "error" and not any(text in message.text for text in (*expected, *_LEFT)):
        problems.append(f"console: {message.text}")


def _asked(problems: list[str], asked: str, url: str) -> None:
    if not asked.startswith((f"{url}/", "data:")):
        problems.append(f"request to {asked}")
