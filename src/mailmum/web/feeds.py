"""Feeds as pages show them: the words and marks for how one stands and what became of a version."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailmum.domain.words import plural, said

_STATES = {
    "ok": ("", "Works"),
    "waiting": ("wait", "Nothing has come yet"),
    "failing": ("late", "Fails"),
    "held": ("late", "Update held back"),
    "paused": ("off", "Rests"),
    "idle": ("off", "Its server was removed"),
}
_VERSIONS = {
    "current": ("", "In force"),
    "past": ("off", "Replaced"),
    "held": ("late", "Held back"),
    "dropped": ("off", "Not taken"),
}
_SOURCES = {"upload": "uploads", "file": "file {}", "spf": "SPF of {}", "url": "{}"}
SAMPLE = 20


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed.

    Attributes:
        told: all that the control side shows of it.
        mark: class of its state.
        state: its state in words.
    """

    told: dict[str, Any]
    mark: str
    state: str

    @property
    def name(self) -> str:
        """What the account calls it."""
        return str(self.told["name"])

    @property
    def provider(self) -> bool:
        """Whether it is the set of a mail provider."""
        return bool(self.told["kind"] == "spf")

    @property
    def blocks(self) -> bool:
        """Whether it blocks."""
        return bool(self.told["action"] == "block")

    @property
    def does(self) -> str:
        """What becomes of its entries."""
        if self.told["use"] != "list":
            return {"except": "Triggers leave it out", "warn": "Warns"}[self.told["use"]]
        return "Blocks" if self.blocks else "Allows"

    @property
    def where(self) -> str:
        """Where it holds."""
        scope = self.told["scope"]
        return "on all servers" if scope == "account" else f"on {scope} only"

    @property
    def source(self) -> str:
        """Where it comes from."""
        return _SOURCES[self.told["kind"]].format(self.told["source"])

    @property
    def every(self) -> str:
        """How often it is refreshed, in words; empty for uploads."""
        return "" if self.told["kind"] == "upload" else said(self.told["every"])

    @property
    def whole(self) -> int:
        """How many entries its source has, with those that cover servers of the account."""
        return int(self.told["entries"] + self.told["kept_out"])

    @property
    def entries(self) -> str:
        """How many there are in words; of what is left out how many, and why."""
        count, left_out = self.told["entries"], self.told["kept_out"]
        found = plural(self.whole, "entry", "entries")
        if left_out:
            does = "it covers" if left_out == 1 else "they cover"
            return f"{count:,} of {found}; {left_out:,} left out, since {does} servers of yours"
        versions = self.told.get("versions", ())
        taken = next((one["exceptions"] for one in versions if one["state"] == "current"), 0)
        if taken and not count:
            return f"{found}; {plural(taken, 'exception')} of its own took out all that it lists"
        return found

    @property
    def uploads(self) -> bool:
        """Whether it is renewed by uploads."""
        return bool(self.told["kind"] == "upload")

    @property
    def paused(self) -> bool:
        """Whether it rests."""
        return bool(self.told["state"] == "paused")

    @property
    def moments(self) -> dict[str, datetime | None]:
        """When things were, by their name."""
        names = ("changed", "checked", "next", "failing")
        return {name: _moment(self.told[name]) for name in names}


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version.

    Attributes:
        told: all that the control side shows of it.
        mark: class of its state.
        state: its state in words.
        at: when it came.
    """

    told: dict[str, Any]
    mark: str
    state: str
    at: datetime

    @property
    def held(self) -> bool:
        """Whether it waits for a person."""
        return bool(self.told["state"] == "held")

    @property
    def in_force(self) -> bool:
        """Whether it is what holds."""
        return bool(self.told["state"] == "current")

    @property
    def left_out(self) -> list[tuple[str, int]]:
        """How many entries were left out, and why."""
        return list(self.told["left_out"].items())

    @property
    def added(self) -> list[str]:
        """Some of what came."""
        return list(self.told["sample_added"][:SAMPLE])

    @property
    def removed(self) -> list[str]:
        """Some of what left."""
        return list(self.told["sample_removed"][:SAMPLE])

    @property
    def more_added(self) -> int:
        """How many further ones came."""
        return max(int(self.told["added"]) - len(self.added), 0)

    @property
    def more_removed(self) -> int:
        """How many further ones left."""
        return max(int(self.told["removed"]) - len(self.removed), 0)

    @property
    def has_details(self) -> bool:
        """Whether there is more to tell than the numbers."""
        told = self.told
        return bool(
            self.left_out
            or self.added
            or self.removed
            or told["bad"]
            or told["own_servers"]
            or told["missing"]
            or told["undenied"]
        )


def feed_rows(found: Iterable[dict[str, Any]]) -> list[FeedRow]:
    """Rows from what the control side shows of feeds."""
    return [FeedRow(one, *_STATES[one["state"]]) for one in found]


def version_rows(feed: dict[str, Any]) -> list[VersionRow]:
    """The versions of a feed."""
    return [
        VersionRow(one, *_VERSIONS[one["state"]], datetime.fromisoformat(one["at"]))
        for one in feed["versions"]
    ]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
