"""Whether a server is silent: an empty, a busy, a quiet and a silent one, and one long gone."""

import pytest

from mailmum.control.monitor.silence import ASKING, LOGS, WEEKS, State, pulses, silent
from mailmum.traffic.sightings import Outcome, Source
from tests.control.monitor.kit import Traffic

HOUR, DAY = 3600, 86_400


def contacts(traffic: Traffic, count: int, every: float, ago: float, server: str = "mx1") -> None:
    """So many contacts of a server, the last so long ago."""
    seen = [
        traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=ago + number * every)
        for number in range(count)
    ]
    traffic.log(*seen, server=server)


def states(traffic: Traffic, later: float = 0, quiet: float = 900) -> dict[str, State]:
    """The state of each server at a time."""
    found = pulses(
        traffic.world.viewer, traffic.servers.values(), quiet=quiet, now=traffic.now + later
    )
    return {name: found[number].state for name, number in traffic.servers.items()}


def test_an_empty_server_is_new_until_its_first_lookup(traffic: Traffic) -> None:
    """A single lookup makes it work; who is seldom asked is not called silent for that."""
    assert states(traffic) == {"mx1": State.NEW, "mx2": State.NEW}
    traffic.asked("203.0.113.7", Outcome.UNLISTED, ago=60)
    assert states(traffic) == {"mx1": State.WORKS, "mx2": State.NEW}
    assert states(traffic, later=2 * DAY)["mx1"] is State.RARE
    assert silent(traffic.world.viewer, now=traffic.now + 2 * DAY) == ()


def test_a_busy_server_that_brings_nothing_is_silent_within_the_hour(traffic: Traffic) -> None:
    """As soon as its usual traffic would have brought something, and for as long as that lasts."""
    contacts(traffic, 2000, 40, ago=60)
    contacts(traffic, 8, 20 * HOUR, ago=60, server="mx2")
    assert states(traffic) == {"mx1": State.WORKS, "mx2": State.WORKS}
    for later in (HOUR, DAY, 6 * DAY, 40 * DAY):
        assert states(traffic, later)["mx1"] is State.SILENT
        assert [one.server for one in silent(traffic.world.viewer, now=traffic.now + later)] == [
            "mx1"
        ]
    assert states(traffic, WEEKS * 7 * DAY + DAY)["mx1"] is State.RARE


def test_a_quiet_server_is_given_its_time(traffic: Traffic) -> None:
    """Of ten contacts a day the next may be long in coming; of one a day nobody can tell."""
    contacts(traffic, 80, 2 * HOUR, ago=60)
    contacts(traffic, 7, DAY, ago=60, server="mx2")
    assert states(traffic, later=20 * HOUR) == {"mx1": State.WORKS, "mx2": State.WORKS}
    assert states(traffic, later=30 * HOUR) == {"mx1": State.RARE, "mx2": State.RARE}
    assert states(traffic, later=3 * DAY) == {"mx1": State.SILENT, "mx2": State.RARE}


@pytest.mark.parametrize(("quiet", "state"), [(900, State.SILENT), (6 * HOUR, State.WORKS)])
def test_how_long_is_a_parameter_of_the_account(traffic: Traffic, quiet: int, state: State) -> None:
    """The same that alerts go by."""
    contacts(traffic, 2000, 40, ago=60)
    assert states(traffic, HOUR, quiet)["mx1"] is state


def test_what_some_sources_tell(traffic: Traffic) -> None:
    """Who is logged may have stopped asking: each of the two goes by what is usual of itself."""
    contacts(traffic, 2000, 40, ago=60)
    traffic.asked("203.0.113.7", Outcome.UNLISTED, 100, ago=2 * HOUR)
    traffic.asked("203.0.113.7", Outcome.UNLISTED, 9, ago=2 * HOUR, server="mx2")

    def told(sources: frozenset[Source] | None, later: float = 0) -> list[State]:
        found = pulses(
            traffic.world.viewer,
            traffic.servers.values(),
            now=traffic.now + later,
            sources=sources,
        )
        return [found[number].state for number in traffic.servers.values()]

    assert told(None) == told(ASKING) == [State.WORKS, State.WORKS]
    assert told(LOGS) == [State.WORKS, State.NEW]
    assert told(ASKING, HOUR) == [State.WORKS, State.WORKS]
    assert told(LOGS, HOUR) == [State.SILENT, State.NEW]
    assert told(None, HOUR) == [State.SILENT, State.WORKS]
    assert told(ASKING, DAY) == [State.SILENT, State.RARE]


def test_servers_of_others_have_no_state(traffic: Traffic) -> None:
    """An outsider who knows their numbers gets nothing, and is told of no silence."""
    contacts(traffic, 2000, 40, ago=60)
    outsider, later = traffic.world.outsider, traffic.now + HOUR
    assert pulses(outsider, traffic.servers.values(), now=later) == {}
    assert silent(outsider, now=later) == ()
