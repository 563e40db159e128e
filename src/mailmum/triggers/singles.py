"""Single contacts of the past, by the hundred thousand: hardly any of them has to be judged.

A contact matters only where a stretch of time as long as the window holds it and enough others of
its group; all contacts of the past are there before the first is judged, so those are known.  And
nothing matters that comes from whoever is listed for long enough.  What is left goes to the judge
that runs live, in the order of time, and it decides the same as if it had seen all of them.

    >>> from mailmum.triggers.rules import Metric
    >>> rule = Rule(Metric.UNKNOWN, threshold=2, window=60)
    >>> seen = Singles(rule, Context())
    >>> one = Contact(1, 1000, server=1, source=1, outcome=5, client=bytes(16))
    >>> seen.take([one, one._replace(number=2, at=99_000), one._replace(number=3, at=99_500)])
    >>> sorted(seen.sifted())
    [1, 2]
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from mailmum.traffic.turns import best_at
from mailmum.triggers.backtest import Outcome
from mailmum.triggers.contacts import Contact, Context, counts
from mailmum.triggers.decisions import Kind
from mailmum.triggers.judge import NEVER, Judge, Place, place_of
from mailmum.triggers.rules import Group, Metric, Rule, Where

Row = tuple[Any, ...]
_STEP = 10_000


class _Group:
    """Who is counted together: which contacts, and up to when they lead to nothing."""

    __slots__ = ("indices", "place", "settled")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.indices = array("l")
        self.settled = NEVER


class Singles:
    """Contacts that count for a rule, and whom they count for.

    What the judge needs of each is kept in columns: as objects they would take many times the
    memory, and the garbage collector would go through them again and again.

    Args:
        rule: what is counted.
        context: what counting takes besides.
    """

    def __init__(self, rule: Rule, context: Context) -> None:
        self._rule, self._context = rule, context
        # Of a contact: its number, when, where, by which list, and how many.
        self._columns = tuple(array("q") for _ in range(5))
        self._groups: list[_Group] = []
        self._clients: list[bytes | None] = []
        self._same: dict[bytes | None, bytes | None] = {}
        # Several names may be of one domain; what cannot be listed has no group.
        self._known: dict[Any, _Group | None] = {}
        self._of: dict[Place, _Group] = {}
        self._chosen: list[int] = []

    def take(self, rows: Iterable[Row]) -> None:
        """Take contacts as plain tuples, in the order of time and then of numbers."""
        rule, context, known, groups = self._rule, self._context, self._known, self._groups
        numbers, ats, servers, lists, manys = (column.append for column in self._columns)
        clients, same = self._clients.append, self._same.setdefault
        apart, named = rule.where is Where.SERVER, rule.group is Group.DOMAIN
        turns = context.best if rule.metric is Metric.CONNECTIONS else {}
        said: dict[Row, bool] = {}
        for row in rows:
            number, at, server, source, outcome, client, rbl, many, name, score, recipient = row
            kind = (
                server,
                source,
                outcome,
                rbl,
                score,
                recipient,
                best_at(turns.get(server, ()), at),
            )
            if (counted := said.get(kind)) is None:
                counted = said[kind] = counts(rule, Contact._make(row), context)
            if not counted:
                continue
            who = name if named else client
            key = (server, who) if apart else who
            group = known[key] if key in known else self._find(key, Contact._make(row))
            if group is not None:
                group.indices.append(len(groups))
                groups.append(group)
                clients(same(client, client))
                numbers(number)
                ats(at)
                servers(server)
                lists(rbl)
                manys(many)

    def sifted(self) -> Iterator[int]:
        """Which contacts lie in a stretch that reaches the threshold, group by group."""
        _, ats, _, _, manys = self._columns
        threshold, window = self._rule.threshold, self._rule.window * 1000
        for group in self._of.values():
            indices = group.indices
            # Of lists there are no more different ones than contacts.
            left = told = reached = 0
            for end, index in enumerate(indices):
                reached += manys[index]
                begin = ats[index] - window
                while ats[indices[left]] <= begin:
                    reached -= manys[indices[left]]
                    left += 1
                if reached >= threshold:
                    yield from indices[max(told, left) : end + 1]
                    told = end + 1

    def sift(self) -> None:
        """Leave out what cannot matter."""
        self._chosen = sorted(self.sifted())

    def clients(self) -> set[bytes]:
        """All clients of whom something is left."""
        return {client for index in self._chosen if (client := self._clients[index])}

    def judged(self, judge: Judge, outcome: Outcome) -> Iterator[float]:
        """Judge what is left, adding to an outcome; how much is done, from 0 to 1, now and then."""
        ats, groups = self._columns[1], self._groups
        for count, index in enumerate(self._chosen):
            group = groups[index]
            if ats[index] > group.settled:
                for decision in judge.count(group.place, self._contact(index)):
                    outcome.note(decision)
                    if decision.kind is Kind.LIST and decision.target is group.place[1]:
                        group.settled = judge.settles(decision.offence)
            if count % _STEP == 0:
                yield count / len(self._chosen)

    def _contact(self, index: int) -> Contact:
        number, at, server, rbl, many = (column[index] for column in self._columns)
        return Contact(number, at, server, 0, 0, self._clients[index], rbl, many)

    def _find(self, key: Any, contact: Contact) -> _Group | None:
        place = place_of(self._rule, contact)
        if place is None:
            found = None
        elif (found := self._of.get(place)) is None:
            found = self._of[place] = _Group(place)
        self._known[key] = found
        return found
