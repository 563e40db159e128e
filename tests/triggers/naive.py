"""The rules read naively: for each contact all of the history is counted again.

No running sums, no forgetting, no cleverness; as slow as it is plain.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from mailmum.traffic.codes import OUTCOMES, SOURCES
from mailmum.traffic.packing import client_text, pack_client
from mailmum.traffic.sightings import Outcome, Source
from mailmum.triggers.contacts import Contact
from mailmum.triggers.decisions import Decision
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Group, Metric, Rule, Where

DAYS_LATE = 2 * 86_400_000
LENGTHS = {Group.ADDRESS: (32, 128), Group.NETWORK: (24, 64), Group.WIDE: (24, 48)}
WIDER = {(4, 32): 24, (6, 128): 64, (6, 64): 48}
COUNTED = {
    Metric.UNKNOWN: Outcome.UNKNOWN_RECIPIENT,
    Metric.RELAY: Outcome.RELAY_DENIED,
    Metric.AUTH: Outcome.AUTH_FAILED,
    Metric.PROTOCOL: Outcome.PROTOCOL,
}


def contact(number: int, at: float, client: str, outcome: Outcome, **more: Any) -> Contact:
    """A contact that a log told of; the time in seconds."""
    given: dict[str, Any] = {"server": 1, "source": SOURCES[Source.LOG]} | more
    return Contact(
        number=number,
        at=round(at * 1000),
        client=pack_client(client),
        outcome=OUTCOMES[outcome],
        **given,
    )


class Spares:
    """Spares these targets."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def spared(self, scope: int, target: object, at: float) -> str:
        """Why, if it is one of them."""
        self.asked.append(getattr(target, "text", ""))
        return "is spared" if self.asked[-1] in self.texts else ""

    def taken_off(self, scope: int, parts: Sequence[object], at: float) -> str:
        """Nobody is."""
        del scope, parts, at
        return ""


@dataclass(slots=True)
class Naive:
    """Recounts for every contact."""

    rule: Rule
    public: frozenset[int] = frozenset()
    spared: frozenset[str] = frozenset()
    history: list[tuple[tuple[int, str], Contact]] = field(default_factory=list)
    listings: list[dict[str, Any]] = field(default_factory=list)
    spent: dict[tuple[int, str], int] = field(default_factory=dict)
    told: list[tuple[str, int, str, int, int, int]] = field(default_factory=list)
    stopped: bool = False
    newest: int = 0

    def see(self, one: Contact) -> None:
        """One more contact."""
        place = self._place(one)
        if self.stopped or place is None or one.at <= self.newest - DAYS_LATE:
            return
        self.newest = max(self.newest, one.at)
        self.history.append((place, one))
        end = self._reached(place, one)
        if end is None:
            return
        self.spent[place] = one.number
        self._list(place, end)

    def _place(self, one: Contact) -> tuple[int, str] | None:
        rule = self.rule
        if rule.server and one.server != rule.server:
            return None
        if rule.metric in COUNTED:
            if one.outcome != OUTCOMES[COUNTED[rule.metric]]:
                return None
        elif one.rbl not in self.public or one.outcome != OUTCOMES[Outcome.REJECTED]:
            return None
        assert one.client is not None
        address = ip_address(client_text(one.client))
        length = LENGTHS[rule.group][address.version == 6]
        network = ip_network(f"{address}/{length}", strict=False)
        scope = one.server if rule.where is Where.SERVER else 0
        return scope, _text(str(network))

    def _reached(self, place: tuple[int, str], one: Contact) -> int | None:
        mine = sorted(
            (other.at, other.number, other.many, other.rbl)
            for where, other in self.history
            if where == place and other.number > self.spent.get(place, 0)
        )
        window = self.rule.window * 1000
        for end, number, _, _ in mine:
            if not one.at <= end < one.at + window or (end, number) < (one.at, one.number):
                continue
            inside = [row for row in mine if end - window < row[0] and row[:2] <= (end, number)]
            if self.rule.metric is Metric.LISTS:
                value = len({row[3] for row in inside})
            else:
                value = sum(row[2] for row in inside)
            if value >= self.rule.threshold and not self._held(place, end):
                return end
        return None

    def _held(self, place: tuple[int, str], at: int) -> bool:
        scope, text = place
        mine = ip_network(text)
        return any(
            one["scope"] == scope
            and one["until"] > at
            and mine.version == one["network"].version
            and mine.subnet_of(one["network"])
            for one in self._latest()
        )

    def _latest(self) -> Iterable[dict[str, Any]]:
        return {(one["scope"], one["network"]): one for one in self.listings}.values()

    def _list(self, place: tuple[int, str], end: int) -> None:
        scope, text = place
        if text in self.spared:
            self.told.append(("spare", scope, text, 0, 0, 0))
            return
        rule, length = self.rule, self.rule.brake_window * 1000
        made = sum(1 for one in self.listings if one["own"] and end - length < one["begin"] <= end)
        if rule.brake and made >= rule.brake:
            self.told.append(("stop", scope, text, 0, 0, 0))
            self.stopped = True
            return
        self._add(place, end, own=True)
        self._merge(place, end)

    def _add(
        self, place: tuple[int, str], end: int, *, own: bool, parts: Sequence[dict[str, Any]] = ()
    ) -> None:
        scope, text = place
        rule, network = self.rule, ip_network(text)
        past = [one for one in self._latest() if (one["scope"], one["network"]) == (scope, network)]
        times = 1
        if past and end - _freed(past[-1]) <= rule.quiet * 1000:
            times = past[-1]["times"] + 1
        lifetime = rule.lifetime * rule.growth ** (times - 1)
        own_end = end + (min(lifetime, rule.longest) if rule.growth > 1 else rule.lifetime) * 1000
        until = max([own_end, *(part["until"] for part in parts)])
        self.listings.append(
            {
                "scope": scope,
                "network": network,
                "begin": end,
                "until": until,
                "times": times,
                "merged": None,
                "own": own,
            }
        )
        self.told.append(("list", scope, text, times, end, until))

    def _merge(self, place: tuple[int, str], end: int) -> None:
        scope, text = place
        mine = ip_network(text)
        length = WIDER.get((mine.version, mine.prefixlen))
        if not self.rule.merge or length is None:
            return
        wider = mine.supernet(new_prefix=length)
        parts = self._listed_in(scope, mine.prefixlen, wider, end)
        moment = max([end, *(part["begin"] for part in parts)])
        parts = self._listed_in(scope, mine.prefixlen, wider, moment)
        if len(parts) < self.rule.merge:
            return
        if str(wider) in self.spared:
            if len(parts) == self.rule.merge:
                self.told.append(("spare", scope, str(wider), 0, 0, 0))
            return
        self._add((scope, str(wider)), moment, own=False, parts=parts)
        for part in parts:
            part["until"], part["merged"] = moment, self.listings[-1]
        self._merge((scope, str(wider)), moment)

    def _listed_in(self, scope: int, length: int, wider: Any, moment: int) -> list[dict[str, Any]]:
        """Listings of this length that hold at a moment within a network."""
        return [
            one
            for one in self._latest()
            if one["scope"] == scope
            and one["until"] > moment
            and one["network"].version == wider.version
            and one["network"].prefixlen == length
            and one["network"].subnet_of(wider)
        ]


def _freed(listing: dict[str, Any]) -> int:
    """When somebody was listed no more, also not with a network that was listed instead."""
    while listing["merged"]:
        listing = listing["merged"]
    until: int = listing["until"]
    return until


def judged(judge: Judge, contacts: Iterable[Contact]) -> list[Decision]:
    """All that contacts lead to, in order."""
    return [decision for one in contacts for decision in judge.take(one)]


def _text(network: str) -> str:
    address, _, length = network.partition("/")
    return address if length in {"32", "128"} else network


def as_told(decisions: Sequence[Decision]) -> list[tuple[str, int, str, int, int, int]]:
    """Decisions as `Naive` tells them."""
    return [(one.kind.value, one.scope, one.target.text, *_offence(one)) for one in decisions]


def _offence(one: Decision) -> tuple[int, int, int]:
    if one.kind.value != "list":
        return 0, 0, 0
    return one.offence.times, one.offence.begin, one.offence.until
