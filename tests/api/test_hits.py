"""Hits of one's own listings beside those of public lists."""

import time

from mailmum.control import config
from mailmum.control.accounts.access import Owning
from mailmum.control.servers.models import Server
from mailmum.control.servers.services import add_server
from mailmum.control.traffic import tallies
from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.tallies import Hits
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.api.conftest import Callers
from tests.control.traffic.kit import Batch
from tests.support.world import World

NOTHING = dict.fromkeys(("address", "network", "host", "domain"), 0)


def observed(access: Owning, name: str, rbls: dict[str, int]) -> Server:
    """A server with two hits of an address and some of public lists."""
    server = add_server(access, name)
    tallies.add_hits(
        [
            Hits(server.account_id, server.pk, Source.DNS, "address", 1),
            Hits(server.account_id, server.pk, Source.POLICY, "address", 1),
            Hits(server.account_id, server.pk, Source.DNS, "domain", 5),
        ]
    )
    rejected = Sighting(time.time(), client="203.0.113.7", outcome=Outcome.REJECTED)
    seen = [rejected._replace(rbl=rbl) for rbl, count in rbls.items() for _ in range(count)]
    keep(server.account_id, server.pk, Source.LOG, Batch([*seen, rejected]))
    return server


def test_hits_by_what_was_listed_and_by_public_list(api: Callers, world: World) -> None:
    """For all servers, or for one; what the log tells of our own lists is not told again."""
    own_zone = f"k7f3q9x2m4t8.bl.{config.current().zone}"
    observed(world.owner, "mx1", {"zen.rbl.example": 2, "bl.other.example": 1, own_zone: 9})
    observed(world.owner, "mx2", {"zen.rbl.example": 1})
    assert api.viewer("GET", "/hits") == (
        200,
        {
            "own": NOTHING | {"address": 4, "domain": 10},
            "public": [
                {"list": "bl.other.example", "hits": 1},
                {"list": "zen.rbl.example", "hits": 3},
            ],
        },
    )
    status, one = api.viewer("GET", "/hits", server="mx2")
    assert status == 200
    assert one == {
        "own": NOTHING | {"address": 2, "domain": 5},
        "public": [{"list": "zen.rbl.example", "hits": 1}],
    }
    assert api.viewer("GET", "/hits", server="mx3")[0] == 404


def test_accounts_do_not_see_each_others_hits(api: Callers, world: World) -> None:
    """Not by name of a server either."""
    observed(world.owner, "mx1", {"zen.rbl.example": 2})
    assert api.outsider("GET", "/hits") == (200, {"own": NOTHING, "public": []})
    assert api.outsider("GET", "/hits", server="mx1")[0] == 404
    assert api.nobody("GET", "/hits")[0] == 401
