"""An account with traffic and triggers, and another that must never be touched."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from mailmum.control.listings.models import Version
from mailmum.control.servers.services import add_server
from mailmum.control.traffic.intake import keep
from mailmum.control.triggers.following import Follower
from mailmum.control.triggers.models import Finding, Trigger
from mailmum.control.triggers.services import add_trigger
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.traffic.kit import Batch
from tests.support.world import World

UNKNOWN = Outcome.UNKNOWN_RECIPIENT
CLIENT = "203.0.113.7"


class Scene:
    """Servers mx1 and mx2 of the owner, one of the outsider, and a follower."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, time.time()
        self.servers = {name: add_server(world.owner, name).pk for name in ("mx1", "mx2")}
        self.foreign = add_server(world.outsider, "mx1").pk
        self.follower = Follower()

    def trigger(self, name: str = "test", **given: Any) -> Trigger:
        """A trigger that lists who writes to three unknown recipients in ten minutes."""
        fields = {
            "metric": "unknown-recipients",
            "threshold": 3,
            "window": "10m",
            "mode": "enforce",
        }
        made = add_trigger(self.world.owner, name, fields | given)
        self.follow()
        return made

    def see(
        self,
        client: str = CLIENT,
        count: int = 3,
        outcome: Outcome = UNKNOWN,
        *,
        ago: float = 60.0,
        server: str = "mx1",
        source: Source = Source.LOG,
        **more: Any,
    ) -> None:
        """What the log of a server told, or another source, a second apart."""
        seen = [
            Sighting(self.now - ago + one, "mx1", "smtpd", client, outcome=outcome, **more)
            for one in range(count)
        ]
        self.keep(self.servers[server], seen, source)

    def see_foreign(self, client: str = CLIENT, count: int = 3) -> None:
        """The same of the other account."""
        seen = [Sighting(self.now - 60, "mx1", "smtpd", client, outcome=UNKNOWN)] * count
        keep(self.world.outsider.account.pk, self.foreign, Source.LOG, Batch(seen))

    def keep(self, server: int, seen: Sequence[Sighting], source: Source = Source.LOG) -> None:
        """Keep sightings."""
        keep(self.world.owner.account.pk, server, source, Batch(seen), now=self.now)

    def follow(self) -> int:
        """Judge all that is new; how many sightings that were."""
        return sum(self.follower.steps(time.time()))

    def restart(self) -> None:
        """Another process takes over, with nothing in memory."""
        self.follower = Follower()

    def listed(self) -> list[str]:
        """What triggers have listed, in order."""
        rows = Version.objects.filter(source="trigger", until=None).order_by("number")
        return list(rows.values_list("target", flat=True))

    def found(self) -> list[tuple[str, str]]:
        """Kind and target of all findings, in order."""
        return list(Finding.objects.order_by("id").values_list("kind", "target"))


@pytest.fixture
def scene(world: World) -> Scene:
    """A scene to fill."""
    return Scene(world)
