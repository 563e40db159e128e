"""The part of `web_bench` in Chromium: first paint, bytes of a first visit, Live at full speed.

The service runs on the same data as processes of its own; the browser keeps nothing between pages
of a first visit.  First paint is Chromium's own measure, from the start of the navigation.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import store_bench
from bench.store_bench import say
from tests.support.browser import LOOKS, chromium, watching
from tests.support.ports import free_port
from tests.support.service import Service

PAGES = (
    "",
    "live/",
    "search/",
    "client/?q=203.1.35.9",
    "listings/",
    "listings/add/?target=203.1.35.0/24",
    "listings/?q=203.1.0.0/16",
    "servers/",
    "journal/",
    "settings/",
)
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
BYTES = (
    "performance.getEntries().filter(e => e.transferSize).reduce((a, e) => a + e.transferSize, 0)"
)
BUSY = """
window.frames = 0;
const tick = () => { frames++; requestAnimationFrame(tick); }; tick();
"""
COUNTING = """
window.arrived = 0; window.lags = [];
window.EventSource = class extends EventSource {
  constructor(...given) {
    super(...given);
    this.addEventListener("rows", e => {
      const { count, html } = JSON.parse(e.data);
      const newest = html.match(/datetime="([^"]+)"/);
      arrived += count;
      if (newest) lags.push(Date.now() - Date.parse(newest[1]));
    });
  }
};
"""
SECONDS, ROUNDS, A_SECOND = 5, 6, 200
WORK = ("TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration")


def in_chromium(folder: Path) -> None:
    state = signed_in()
    with running(folder) as service, chromium() as browser:
        cookie = [state | {"url": service.url}]
        for path in PAGES:
            paints, size = [], 0
            for _ in range(3):
                with watching(browser, service.url, LOOKS[0]) as page:
                    page.context.add_cookies(cookie)  # type: ignore[arg-type]
                    page.goto(f"{service.url}/a/1/{path}")
                    page.wait_for_load_state("load")
                    paints.append(page.evaluate(PAINT) or 0.0)
                    size = page.evaluate(BYTES)
            say(f"{median(paints):8.0f} ms  first paint  {size:9,} bytes  {path or 'overview'}")
        with watching(browser, service.url, LOOKS[0]) as page:
            page.context.add_cookies(cookie)  # type: ignore[arg-type]
            live(page, service)


def live(page: Any, service: Service) -> None:
    """Half a minute of 200 rows a second: whether all come, and the page stays quick."""
    page.add_init_script(COUNTING)
    page.goto(f"{service.url}/a/1/live/")
    page.wait_for_selector("[data-state]:has-text('Connected')")
    page.evaluate(BUSY)
    spent = page.context.new_cdp_session(page)
    spent.send("Performance.enable", {"timeDomain": "threadTicks"})
    poured = 0
    for number in range(ROUNDS):
        before, frames = metrics(spent), page.evaluate("frames")
        poured += pour(SECONDS, A_SECOND)
        after, more = metrics(spent), page.evaluate("frames")
        rows = page.evaluate("document.querySelectorAll('[data-stream] tr').length")
        heap = page.evaluate("performance.memory.usedJSHeapSize")
        took = {name: 1000 * (after[name] - before[name]) for name in WORK}
        say(
            f"live {SECONDS * (number + 1):3} s  {(more - frames) / SECONDS:5.1f} frames a second",
            ", ".join(f"{name} {value:.0f} ms" for name, value in took.items()),
            f"of {1000 * SECONDS}; {rows} rows, {heap / 1e6:.1f} MB,",
            f"{poured} kept, {page.evaluate('arrived')} arrived",
        )
    # Asked again and again: to wait for a function is to evaluate text, which the page forbids.
    for _ in range(50):
        if page.evaluate("arrived") >= poured:
            break
        page.wait_for_timeout(100)
    late = sorted(page.evaluate("lags"))
    say("live", f"{page.evaluate('arrived')} of {poured} arrived in the end; a batch")
    say("", f"{median(late):.0f} ms after it was logged at the median, {late[-1]:.0f} ms at worst")


def metrics(session: Any) -> dict[str, float]:
    """Processor time of the page's main thread, in seconds since it began."""
    found = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}


def pour(seconds: int, a_second: int) -> int:
    """Sightings as a log brings them, ten times a second; how many were kept.

    By the clock: what a slow moment has left undone is made up for in the next.
    """
    from mailmum.control.servers.models import Server
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Source

    kept = 0

    def work() -> None:
        nonlocal kept
        import random

        from django.db import connections

        server = Server.objects.order_by("pk").first()
        assert server is not None
        chance, began = random.Random(time.time()), time.monotonic()
        while kept < seconds * a_second:
            due = min(time.monotonic() - began, seconds) * a_second
            if (many := int(due) - kept) > 0:
                now = time.time()
                made = list(store_bench.traffic(chance, (now - 0.05, now), many))
                keep(server.account_id, server.pk, Source.LOG, store_bench.Batch(made))
                kept += len(made)
            time.sleep(0.1)
        connections.close_all()

    # Playwright's loop runs in this thread, and there Django refuses the database.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return kept


def signed_in() -> dict[str, str]:
    """The cookie of a session of the owner."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from mailmum.control.accounts.models import User

    person = User.objects.order_by("pk").first()
    assert person is not None
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    assert session.session_key is not None
    return {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key}


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    environment = dict(os.environ) | {"MAILMUM_DATA": str(folder)}
    environment["MAILMUM_POLICY"] = f"127.0.0.1:{free_port('tcp')}"
    made = Service(
        folder, f"127.0.0.1:{free_port('tcp')}", ("127.0.0.1", free_port("both")), environment
    )
    with made.up():
        yield made
