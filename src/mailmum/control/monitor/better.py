"""Better ways than a listing that would lose mail, each with the command that does it.

narrower    fewer addresses or names: what stops most of the abuse and no accepted sender
exceptions  the listing as it was thought of, and allow listings for those it would lose
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from mailmum.control.monitor.looking import Look, Sum
from mailmum.control.monitor.scope import Scope
from mailmum.control.traffic.names import name_text
from mailmum.domain import guards
from mailmum.domain.guards import OwnServer
from mailmum.domain.suffixes import is_shared
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.traffic.codes import VERIFIED
from mailmum.traffic.impact import AT_MOST, EXCEPTIONS, Client, narrower
from mailmum.traffic.packing import pack_client, reversed_name

NARROWER, EXCEPT = "narrower", "exceptions"


@dataclass(frozen=True, slots=True)
class Better:
    """Another way.

    Attributes:
        way: `narrower` or `exceptions`.
        block: the targets to block.
        allow: the targets to allow, before that.
        stops: contacts that it would have stopped in the days that were looked at.
        of: those that the listing itself would have stopped.
        commands: what to run, in this order.
    """

    way: str
    block: tuple[str, ...]
    allow: tuple[str, ...]
    stops: int
    of: int
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """Finds better ways for one target.

    Attributes:
        target: what was thought of.
        scope: for which servers.
        clients: whom it would hit.
        seen: what was seen of them.
        own: the account's own servers.
    """

    target: Target
    scope: Scope
    clients: Sequence[Client]
    seen: Look
    own: Sequence[OwnServer]

    def find(self) -> Iterator[Better]:
        """Those that there are, the one that changes least first."""
        total = self.seen.total.stopped
        if isinstance(self.target, NetworkTarget):
            found = self._networks(self.target)
        else:
            found = self._names(self.target)
        if found is not None:
            targets, stops, of = found
            if not any(is_shared(one) or guards.find_danger(one, self.own) for one in targets):
                yield self._better(NARROWER, targets, (), stops, of)
        allowed = self._exceptions()
        if allowed and guards.find_danger(self.target, self.own) is None:
            lost = sum(one.stopped for one in self.clients if one.lost)
            yield self._better(EXCEPT, (self.target,), allowed, max(total - lost, 0), total)

    def _networks(self, target: NetworkTarget) -> tuple[tuple[Target, ...], int, int] | None:
        addresses = [one.target for server in self.own for one in server.addresses]
        found = narrower(target, self.clients, addresses)
        return None if found is None else (found.networks, found.stops, found.of)

    def _names(self, target: NameTarget) -> tuple[tuple[Target, ...], int, int] | None:
        """Names one label longer, none of whose mail was accepted."""
        if not target.whole:
            return None
        prefix = reversed_name(target.name).encode()
        below: dict[bytes, list[Sum]] = {}
        for (name, kind), one in self.seen.names.items():
            label = name[len(prefix) :].partition(b".")[0]
            kinds = below.get(label)
            if kinds is None:
                kinds = below[label] = [Sum(), Sum()]
            sums = kinds[kind == VERIFIED]
            sums.accepted += one.accepted
            sums.stopped += one.stopped
        # A contact may be there once under the verified name, and once under the claimed one.
        stopped = {
            label: max(kind.stopped for kind in kinds)
            for label, kinds in below.items()
            if any(kind.stopped for kind in kinds) and not any(kind.accepted for kind in kinds)
        }
        chosen = nsmallest(AT_MOST, stopped, key=lambda label: (-stopped[label], label))
        total = self.seen.total.stopped
        stops = min(sum(stopped[label] for label in chosen), total)
        if not chosen or 2 * stops < total or len(below) <= len(chosen):
            return None
        return tuple(_below(target, label) for label in chosen), stops, total

    def _exceptions(self) -> tuple[Target, ...]:
        """Whom to allow: by the names under which they came, else by address."""
        found: set[Target] = set()
        for one in self.clients:
            if one.lost:
                found.update(self._known_as(one.address))
                if len(found) > EXCEPTIONS:
                    return ()
        return tuple(sorted(found, key=lambda one: one.text)) if found != {self.target} else ()

    def _known_as(self, address: NetworkTarget) -> Iterable[Target]:
        names = self.seen.under.get(pack_client(address.text) or b"", set())
        return [NameTarget(name_text(name), whole=False) for name in names] or [address]

    def _better(
        self,
        way: str,
        block: Iterable[Target],
        allow: Iterable[Target],
        stops: int,
        of: int,
    ) -> Better:
        allowed, blocked = tuple(one.text for one in allow), tuple(one.text for one in block)
        commands = [self._command("allow", allowed)] if allowed else []
        commands.append(self._command("block", blocked))
        return Better(way, blocked, allowed, stops, of, tuple(commands))

    def _command(self, verb: str, targets: Iterable[str]) -> str:
        server = self.scope.server
        at = [] if server is None else ["--server", self.scope.name(server)]
        return shlex.join(["mailmum", verb, *targets, *at])


def _below(target: NameTarget, label: bytes) -> NameTarget:
    """The domain one label below; without a label the host of that name."""
    if not label:
        return NameTarget(target.name, whole=False)
    return NameTarget(f"{label.decode('utf-8', 'replace')}.{target.name}", whole=True)
