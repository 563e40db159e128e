"""Measure the pages: time of the server for each, with much in the database.

    .venv/bin/python -m bench.web_bench --folder /tmp/big --rows 10000000 --listings 100000
    .venv/bin/python -m bench.web_bench --folder /tmp/big                 again, on what is there
    .venv/bin/python -m bench.web_bench --folder /tmp/big --browser       first paint, bytes, Live

Traffic is that of `store_bench`, thirty days up to now, over two hundred servers; half of the
listings are a person's, half a feed's.  Each page is made some times in this process by Django's
test client, so without network: what is told is processor time (on SQLite that is all there is)
and wall clock, both at the median.  With `--browser` the service itself runs, and Chromium asks it.
The figures are of this machine in this hour.
"""

import argparse
import os
import platform
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import store_bench
from bench.store_bench import say

TIMES = 7
DAY = 86_400


def main() -> None:
    options = read_options()
    folder = Path(options.folder)
    fresh = not (folder / "mailmum.sqlite3").exists() and not os.environ.get("MAILMUM_DATABASE")
    folder.mkdir(parents=True, exist_ok=True)
    store_bench.set_up(str(folder))
    say(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    if fresh or options.fill:
        fill(options.servers, options.listings, options.rows)
    sizes()
    if options.browser:
        from bench.web_bench_browser import in_chromium  # needs what only the tests need

        in_chromium(folder)
    else:
        pages()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", required=True, help="where the data lie, or shall lie")
    parser.add_argument("--rows", type=int, default=1_000_000, help="roll-up rows")
    parser.add_argument("--listings", type=int, default=100_000)
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--fill", action="store_true", help="fill a database that is there already")
    parser.add_argument("--browser", action="store_true", help="ask the service in Chromium")
    return parser.parse_args()


def fill(servers: int, listings: int, rows: int) -> None:
    """Servers, listings, traffic, and what the worker makes of it."""
    from mailmum.control import config, prepare
    from mailmum.control.servers.services import add_server

    prepare.first_account(config.current())
    access = owner()
    made = [add_server(access, f"mx{number}") for number in range(1, servers + 1)]
    for mine in (True, False):
        import_some(access, listings // 2, mine)
    from mailmum.control.servers.queries import servers_of
    from mailmum.control.traffic.working_up import Lister

    store_bench.NOW = int(time.time())
    store_bench.SERVERS = tuple(server.pk for server in servers_of(access))
    store_bench.ACCOUNT = access.account.pk
    store_bench.fill(rows)
    for _ in Lister().steps(time.time()):
        pass
    say("servers", f"{len(made)}")


def import_some(access: Any, count: int, mine: bool) -> None:
    """So many listings: addresses mostly, networks, names; some with an end."""
    from mailmum.control.imports.options import ImportOptions
    from mailmum.control.imports.services import run_import

    chance = random.Random(mine)
    lines = "action,target,reason,expires\n" + "".join(one_line(chance) for _ in range(count))
    options = ImportOptions(format="csv", label="bench", mine=mine, force=mine)
    *_, report = run_import(access, [lines.encode()], options)
    say("imported", str(report)[:200])


def one_line(chance: random.Random) -> str:
    kind, action = chance.random(), "block" if chance.random() < 0.9 else "allow"
    if kind < 0.8:
        target = f"203.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"
    elif kind < 0.9:
        target = f"203.{chance.randrange(256)}.{chance.randrange(256)}.0/24"
    else:
        target = f"host{chance.getrandbits(30)}.pool{chance.randrange(999)}.example"
    reason = chance.choice(("Spam to role accounts", "Dictionary attack", "Phishing ticket 4302"))
    return f"{action},{target},{reason},{chance.choice(('', '', '', '2030-01-01T00:00:00Z'))}\n"


def owner() -> Any:
    from mailmum.control.accounts.access import access, writing
    from mailmum.control.accounts.models import Account, User

    person, account = User.objects.order_by("pk").first(), Account.objects.order_by("pk").first()
    assert person is not None
    assert account is not None
    return writing(access(person, account.pk, via="web"))


def sizes() -> None:
    from mailmum.control.listings.models import Version
    from mailmum.control.servers.models import Server

    say("rows", ", ".join(f"{name} {count:,}" for name, count in store_bench.sizes()))
    say("listings", f"{Version.objects.filter(until=None).count():,}")
    say("servers", f"{Server.objects.filter(removed=None).count():,}")


def pages() -> None:
    """Each page, slowest at the end."""
    from django.test import Client

    from mailmum.control.accounts.models import User
    from mailmum.control.serving import settle

    access = owner()
    client = Client()
    client.force_login(User.objects.get(pk=access.actor.person))
    settle()
    found = [(*measured(ask), name) for name, ask in asked(client, access.account.pk)]
    for spent, wall, size, name in sorted(found):
        say(f"{1000 * spent:8.1f} ms  wall {1000 * wall:7.1f}  {size:8,} bytes  {name}")
    slow = [name for spent, _, _, name in found if spent > 0.2]
    say("over 200 ms", ", ".join(slow) or "none")


def measured(ask: Callable[[], Any]) -> tuple[float, float, int]:
    """Processor time, wall clock, and size of the page."""
    spent, wall, size = [], [], 0
    for _ in range(TIMES):
        began, clock = time.process_time(), time.perf_counter()
        response = ask()
        spent.append(time.process_time() - began)
        wall.append(time.perf_counter() - clock)
        assert response.status_code == 200, response
        size = len(response.content)
    return median(spent), median(wall), size


PAGES = (
    "",
    "?range=hour",
    "?range=day",
    "?range=month",
    "?range=month&by=clients",
    "?range=week&server=mx3",
    "search/",
    "search/?q=203.1.35.9",
    "search/?q=203.1.35.0/24&what=rbl",
    "search/?what=auth",
    "search/?sender=news17@offers1",
    "live/",
    "client/?q=198.51.0.1",
    "client/?q=203.1.35.9",
    "client/?q=203.1.35.0/24",
    "client/?q=203.1.0.0/16",
    "client/?q=203.0.0.0/8",
    "client/?q=.pool7.example",
    "client/?q=.example",
    "listings/",
    "listings/?q=203.1.35.9",
    "listings/?q=203.1.0.0/16",
    "listings/?q=pool7.example",
    "listings/?q=ticket+43",
    "listings/?q=nothing+says+so",
    "listings/?action=allow",
    "listings/?source=feed",
    "listings/?server=mx3",
    "listings/?state=ended",
    "listings/?before=50000",
    "listings/add/",
    "listings/add/?target=203.1.35.0/24",
    "listings/add/?target=203.1.35.9",
    "listings/add/?target=203.1.0.0/16",
    "listings/add/?target=203.0.0.0/8",
    "listings/add/?target=.example",
    "listings/100/",
    "servers/",
    "server/mx3/",
    "journal/",
    "journal/?target=203.1.35.9",
    "settings/",
    "settings/people/",
    "triggers/",
    "triggers/add/?preset=two-lists",
    "feeds/",
    "feeds/add/",
    "suggestions/",
    "requests/",
    "rbls/",
    "alerts/",
    "alerts/past/",
    "alerts/report/",
    "alerts/channels/",
    "settings/tokens/",
)


def asked(client: Any, account: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    for path in PAGES:
        yield path or "overview", partial(client.get, f"/a/{account}/{path}")


if __name__ == "__main__":
    main()
