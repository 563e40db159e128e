"""Fills an empty data folder for the demo: accounts, servers, listings, and the week's logs.

Logs go the way of those that are handed in: the same reader, the same intake.
"""

import time
from datetime import UTC

from mailmum.control.accounts.access import Owning, system_access
from mailmum.control.accounts.models import Account, User
from mailmum.control.accounts.services import Told, add_sign_in_link, create_account, set_parameters
from mailmum.control.config import Config
from mailmum.control.dataplane.handed import Batch, hand_in
from mailmum.control.demo import MARK, is_demo
from mailmum.control.demo.machines import add_feeds, add_triggers
from mailmum.control.demo.story import LAST_HOURS, Host, Week
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.requests.asking import ask
from mailmum.control.servers.models import Server
from mailmum.control.servers.services import add_server
from mailmum.domain.errors import Refusal
from mailmum.domain.listings import Action

OWNER = "owner@localhost"
ACCOUNTS = {
    "office.example": (
        Host("mx1", "office.example", 36, 11),
        Host("mx2", "office.example", 24, 12),
        Host("lists", "lists.office.example", 9, 13),
    ),
    "shop.example": (Host("mail", "shop.example", 18, 21),),
}
MACHINES = "office.example"
"""The account with triggers and feeds."""
_BLOCKS = (
    (("203.0.113.0/25",), "Sent spam to our trap", "cheapcloud: three complaints unanswered", ""),
    (("2001:db8:bad::/64",), "Guesses passwords", "", "30d"),
    ((".win-prizes.example", "mail.spam.example"), "Sends spam", "", ""),
    (("203.0.113.192/28",), "Tries user names", "dictionary attack", "7d"),
)
_ALLOWS = ((("198.51.100.25",), "customer's relay, hit by bl.copper.example"),)
_ASKS = (
    "One of our customers had a stolen password. The account is closed and the queue is empty; "
    "outgoing mail is limited to 200 messages an hour since Monday."
)


def mark(parameters: Config) -> None:
    """Make an empty folder the demo's.

    Raises:
        Refusal: it has been in use for something else.
    """
    if is_demo(parameters.data):
        return
    if parameters.database or parameters.sqlite_path.exists():
        raise Refusal(
            f"{parameters.data} is in use, and the demo wants a folder and a database of its own",
            fix="name an empty folder: mailmum up --demo --data /tmp/mailmum-demo",
        )
    (parameters.data / MARK).write_text(
        "Everything in this folder is made up; pages say so.\n", encoding="utf-8"
    )


def fill(now: float | None = None) -> str | None:
    """Make accounts, servers, listings and traffic, unless there are accounts.

    Returns:
        The secret of a one-time sign-in link for the owner of both accounts.
    """
    if Account.objects.exists():
        return None
    clock = time.time() if now is None else now
    for name, hosts in ACCOUNTS.items():
        _account(create_account(name, OWNER).account, hosts, clock)
    return add_sign_in_link(User.objects.get(email=OWNER))


def _account(account: Account, hosts: tuple[Host, ...], now: float) -> None:
    access = system_access(account)
    told = Told(contact=f"postmaster@{account.name}")
    set_parameters(access, ttl=60, code=None, key_keep=7 * 86_400, told=told)
    weeks = []
    for number, host in enumerate(hosts, start=1):
        server = add_server(access, host.name, [f"192.0.2.{200 + number}"])
        weeks.append((server, Week(host, now).lines(now - LAST_HOURS)))
    for server, (most, _) in weeks:
        _hand_in(server, most, now - LAST_HOURS)
    _list(access, now)
    first = access.account.servers.order_by("pk").first()
    assert first is not None
    ask(first.ref, "203.0.113.7", text=_ASKS, reply_to="postmaster@cheapcloud.example", address="")
    if account.name == MACHINES:
        add_triggers(access, now)
        add_feeds(access)
    for server, (_, last) in weeks:
        _hand_in(server, last, now)


def _hand_in(server: Server, lines: bytes, read: float) -> None:
    hand_in(server, Batch(lines, "mail.log", None, "", UTC, read=read))


def _list(access: Owning, now: float) -> None:
    for targets, reason, note, lifetime in _BLOCKS:
        wish = make_wish(Action.BLOCK, now=now, reason=reason, note=note, lifetime=lifetime)
        list_targets(access, targets, wish, confirmed=True)
    for targets, note in _ALLOWS:
        list_targets(access, targets, make_wish(Action.ALLOW, now=now, note=note))
