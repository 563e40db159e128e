"""What machines list in the demo: two triggers, and three feeds from files of its own.

All of it goes the ways that it always goes.  Triggers are made before the last hours of the week
are handed in: so the worker has something to judge as soon as it runs, and lists it.  Of the feeds
one is as it should be, one has an update that looks wrong, and the file of one is gone.
"""

from pathlib import Path

from mailmum.control.accounts.access import Owning
from mailmum.control.feeds.fetching import file_of
from mailmum.control.feeds.services import add_feed, refresh_feed
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.triggers.following import Follower
from mailmum.control.triggers.services import add_trigger
from mailmum.triggers.rules import Mode

TRIGGERS = (("dictionary-attack", Mode.ENFORCE), ("two-lists", Mode.OBSERVE))
"""Presets, and what they may do."""
HIJACKED, RELAYS, GONE = "hijacked.txt", "supplier-relays.txt", "partner-blocklist.txt"
_HIJACKED = [f"198.51.100.{number}" for number in range(128, 190)]
_RELAYS = ["192.0.2.41", "192.0.2.42", "2001:db8:41::/64"]
_FAILURES = 3
"""So many refreshes fail until an alert tells of it."""


def add_triggers(access: Owning, now: float) -> None:
    """Make the triggers, which count what is kept from now on."""
    for preset, mode in TRIGGERS:
        add_trigger(access, preset, {"mode": mode.value}, preset=preset)
    for _ in Follower().steps(now):
        pass


def add_feeds(access: Owning) -> None:
    """Subscribe to the files, and refresh each until it stands as it is to be shown."""
    hijacked = _file(access, HIJACKED, _HIJACKED)
    _file(access, RELAYS, _RELAYS)
    add_feed(access, make_wish("hijacked", HIJACKED, reason="Listed as taken over"))
    add_feed(access, make_wish("supplier-relays", RELAYS, action="allow"))
    add_feed(access, make_wish("partner-blocklist", GONE))
    for name in ("hijacked", "supplier-relays", *["partner-blocklist"] * _FAILURES):
        refresh_feed(access, name)
    # Cut off, as it happens to a list whose server fills its disk.
    _write(hijacked, _HIJACKED[:9])
    refresh_feed(access, "hijacked")


def _file(access: Owning, name: str, targets: list[str]) -> Path:
    path = file_of(access.account.pk, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, targets)
    return path


def _write(path: Path, targets: list[str]) -> None:
    path.write_text("".join(f"{one}\n" for one in ("# made up", *targets)), encoding="utf-8")
