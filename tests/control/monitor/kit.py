"""An account with traffic, and another whose traffic must never show."""

import time
from collections.abc import Sequence

import pytest

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.servers.services import add_server
from mailmum.control.traffic.intake import Lookup, keep, keep_lookups
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.traffic.kit import Batch
from tests.support.world import World

STRANGE = "outsider-only.example"
"""Stands in all that the other account has seen."""


class Traffic:
    """Puts sightings of the owner's servers mx1 and mx2, and the same of the outsider's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = time.time()
        self.servers = {
            name: add_server(world.owner, name, addresses).pk
            for name, addresses in (("mx1", ["192.0.2.25"]), ("mx2", []))
        }
        self.other = add_server(world.outsider, "foreign").pk

    def log(self, *seen: Sighting, server: str = "mx1") -> None:
        """What a log of a server told."""
        self._keep(self.world.owner.account.pk, self.servers[server], seen)

    def foreign(self, *seen: Sighting) -> None:
        """What a log of the other account's server told."""
        marked = [
            one._replace(client_name=STRANGE, helo=STRANGE, sender=f"x@{STRANGE}", rbl=STRANGE)
            for one in seen
        ]
        self._keep(self.world.outsider.account.pk, self.other, marked)

    def asked(
        self,
        subject: str,
        outcome: Outcome,
        count: int = 1,
        *,
        server: str = "mx1",
        source: Source = Source.DNS,
        ago: float = 60.0,
    ) -> None:
        """Lookups of a server."""
        account = self.world.owner.account.pk
        lookup = Lookup(account, self.servers[server], self.now - ago, subject, outcome, count)
        keep_lookups(source, [lookup])

    def listed(self, action: Action, *targets: str, server: str | None = None) -> None:
        """What the owner lists."""
        wish = make_wish(action, now=self.now)
        list_targets(self.world.owner, targets, wish, server=server, confirmed=True)

    def seen(self, client: str, outcome: Outcome, *, ago: float = 60.0, **more: object) -> Sighting:
        """A sighting."""
        return Sighting(self.now - ago, "mx1", "smtpd", client, outcome=outcome, **more)  # type: ignore[arg-type]

    def pool(self, *, ago: float = 60.0) -> list[Sighting]:
        """198.51.100.64/27 abuses: 16 clients with 5 rejects each."""
        return [
            self.seen(
                f"198.51.100.{last}",
                Outcome.REJECTED,
                ago=ago,
                client_name=f"dsl-{last}.pool.example",
                sender="x@pool.example",
                rbl="zen.rbl.example",
            )
            for last in range(64, 96, 2)
            for _ in range(5)
        ]

    def mail(self, client: str, count: int, name: str, *, ago: float = 60.0) -> list[Sighting]:
        """Accepted mail of a client."""
        return [
            self.seen(
                client,
                Outcome.ACCEPTED,
                ago=ago,
                client_name=name,
                helo=name,
                sender=f"news@{name}",
                recipient="owner@example.net",
                queue_id=f"4F{number}",
            )
            for number in range(count)
        ]

    def _keep(self, account: int, server: int, seen: Sequence[Sighting]) -> None:
        keep(account, server, Source.LOG, Batch(list(seen)))


@pytest.fixture
def traffic(world: World) -> Traffic:
    """Traffic to fill."""
    return Traffic(world)
