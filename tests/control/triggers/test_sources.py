"""By which source a contact counts, held against a look at all that was ever seen.

Three sources tell of two servers, with silences of weeks, late lines, restarts, and triggers for
one server or all: whoever is listed live, and in a trial, is whom plain counting finds.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.models import Finding
from mailmum.control.triggers.values import rule_of
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.triggers.kit import Scene

_RANK = [Source.LOG, Source.POLICY, Source.DNS]
_DAY, _HOUR = 86_400, 3600
_MS_HOUR = _HOUR * 1000
_WINDOW, _ENOUGH, _LIFE, _LATE = 600_000, 4, 300_000, 2 * _DAY * 1000


class _Seen(NamedTuple):
    number: int
    at: int
    server: str
    source: Source
    client: str


def _best(server: str, at: int, seen: Iterable[_Seen]) -> Source:
    """The best of those that told anything in the week before, else the worst of all."""
    mine = [one for one in seen if one.server == server]
    able = {
        one.source for one in mine if one.at <= at < (one.at // (_DAY * 1000) + 8) * _DAY * 1000
    }
    able |= {max((one.source for one in mine), key=_RANK.index)}
    return min(able, key=_RANK.index)


@dataclass
class _Naive:
    """Counts all anew with each look."""

    only: str
    seen: list[_Seen] = field(default_factory=list)
    judged: int = 0
    newest: int = 0
    listed: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def follow(self) -> None:
        """Judge what has come."""
        last, newest, known = self.judged, 0, dict[str, list[_Seen]]()
        times = {(one.at, one.server) for one in self.seen}
        best = {(at, server): _best(server, at, self.seen) for at, server in times}
        for one in self.seen:
            if one.number == last + 1:
                newest = self.newest = max(newest, self.newest)
            if self.only not in ("", one.server):
                continue
            if one.source is not best[one.at, one.server] or one.at <= newest - _LATE:
                continue
            newest = max(newest, one.at)
            mine, begun = known.setdefault(one.client, []), self.listed.get(one.client, [])
            if one.number <= (begun[-1][1] if begun else 0):
                continue
            mine.append(one)
            if one.number > last:
                self._judge(one, mine)
        self.newest = max(newest, self.newest)
        self.judged = max((one.number for one in self.seen), default=0)

    def _judge(self, one: _Seen, mine: list[_Seen]) -> None:
        begun = self.listed.setdefault(one.client, [])
        for end in sorted(other.at for other in mine if 0 <= other.at - one.at < _WINDOW):
            inside = [other for other in mine if end - _WINDOW < other.at <= end]
            if len(inside) >= _ENOUGH and (not begun or begun[-1][0] + _LIFE <= end):
                begun.append((end, one.number))
                mine.clear()
                return


def _told(chance: random.Random, now: float) -> list[tuple[float, float, str, Source, str]]:
    """When each is kept, when it was, where, by whom told, and of whom."""
    made: list[tuple[float, float, str, Source, str]] = []
    at = now - chance.choice([1, 12, 22]) * _DAY - chance.randrange(_DAY)
    while at < now - _HOUR and len(made) < 400:
        telling = {server: chance.sample(_RANK, chance.randint(1, 3)) for server in ("mx1", "mx2")}
        begun = {source: at + chance.choice([0, 0, 500, 1500]) for source in _RANK}
        until = at + chance.choice([1200, 2400])
        while at < until:
            at += chance.choice([5, 20, 60])
            server, client = chance.choice(["mx1", "mx2"]), f"203.0.113.{chance.randrange(3)}"
            for source in telling[server]:
                if at >= begun[source]:
                    late = chance.choice([0, 0, 0, 0, 1, 100, 1000, 30_000])
                    made.append((at + late, round(at, 3), server, source, client))
        at += chance.choice([_HOUR, 6 * _HOUR, 2 * _DAY, 7.5 * _DAY, 8 * _DAY, 9 * _DAY])
    return sorted(one for one in made if one[1] < now)


def _moment(millis: int) -> str:
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("seed", range(4, 8))
def test_live_and_tried_are_as_counted_plainly(scene: Scene, seed: int) -> None:
    """Whatever is told when, by whom, and however often it begins anew."""
    chance = random.Random(seed)
    scene.now = scene.now // _DAY * _DAY - chance.randrange(_DAY)
    only = chance.choice(["", "", "mx2"])
    trigger = scene.trigger(
        metric="connections",
        threshold=_ENOUGH,
        window="10m",
        lifetime="5m",
        growth=1,
        quiet="1m",
        accepted=0,
        brake=0,
        mode="observe",
        server=only,
    )
    naive = _Naive(only)
    for number, (_, at, server, source, client) in enumerate(_told(chance, scene.now), start=1):
        outcome = Outcome.CONNECTED if source is Source.LOG else Outcome.UNLISTED
        scene.keep(
            scene.servers[server], [Sighting(at, "mx", "smtpd", client, outcome=outcome)], source
        )
        naive.seen.append(_Seen(number, round(at * 1000), server, source, client))
        if chance.random() < 0.1:
            while scene.follow():
                pass
            naive.follow()
        if chance.random() < 0.03:
            scene.restart()
    while scene.follow():
        pass
    naive.follow()
    rows = Finding.objects.filter(trigger=trigger).order_by("begin", "id")
    expected = sorted((client, at) for client, found in naive.listed.items() for at, _ in found)
    live = sorted((one.target, one.begin) for one in rows)
    assert live == expected
    tried = _Naive(only)
    order = sorted(naive.seen, key=lambda one: (one.at, one.number))
    tried.seen = [one._replace(number=n) for n, one in enumerate(order, start=1)]
    tried.follow()
    report = last_of(backtest(scene.world.viewer, rule_of(trigger), now=scene.now))
    assert sorted(
        (one["target"], one["begin"], one["contacts"]) for one in report.listed
    ) == sorted(
        (client, _moment(at), _weight(client, at, scene.now, naive.seen))
        for client, found in tried.listed.items()
        for at, _ in found
    )


def _weight(client: str, at: int, now: float, seen: Iterable[_Seen]) -> int:
    """What came of a client while it would have been listed, by the source best when an hour ends.

    Neither what led to it nor what came after it.
    """
    end = min(at + _LIFE, round(now * 1000))
    return sum(
        one.source is _best(one.server, (one.at // _MS_HOUR + 1) * _MS_HOUR - 1, seen)
        for one in seen
        if one.client == client and at < one.at < end
    )
