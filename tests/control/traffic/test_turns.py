"""By which source each server is seen best: from the very moment on at which it began."""

import pytest

from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.models import Seen, Total
from mailmum.control.traffic.turns import turns_of
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.sightings import Outcome, Sighting, Source
from mailmum.traffic.turns import ALWAYS, DNS, LOG, POLICY, QUIET, Turn, best_at
from tests.control.traffic.kit import Batch

pytestmark = pytest.mark.django_db(databases="__all__")
NOW = 1_790_000_000.0
MONTH = NOW - 30 * DAY


def _see(source: Source, *agos: float, server: int = 1, account: int = 1) -> None:
    for ago in agos:
        one = Sighting(NOW - ago, "mx1", "smtpd", "203.0.113.7", outcome=Outcome.CONNECTED)
        keep(account, server, source, Batch([one]), now=NOW)


def _quiet(ago: float) -> int:
    """When a source that was last seen so long ago is taken to be quiet, in milliseconds."""
    return (start_of(NOW - ago, DAY) + QUIET) * 1000


def test_whoever_is_alone_has_always_its_turn() -> None:
    """Whenever it was last seen; and nobody else's servers are told."""
    _see(Source.DNS, 20 * DAY)
    _see(Source.LOG, 100, server=2)
    _see(Source.LOG, 100, account=2, server=3)
    assert turns_of(1, MONTH) == {1: (Turn(DNS),), 2: (Turn(LOG),)}
    assert turns_of(3, MONTH) == {}


def test_a_log_has_its_turn_from_its_first_line_on() -> None:
    """By the millisecond; what was read later and is older is its first line, too."""
    _see(Source.DNS, 9 * DAY, 100.25, 90)
    _see(Source.LOG, 95.125)
    began = round((NOW - 95.125) * 1000)
    after = Turn(DNS, _quiet(0), ALWAYS[1])
    assert turns_of(1, MONTH)[1] == (
        Turn(DNS, 0, began),
        Turn(LOG, began, _quiet(0)),
        after,
    )
    _see(Source.LOG, 7000)
    began = round((NOW - 7000) * 1000)
    assert turns_of(1, MONTH)[1] == (
        Turn(DNS, 0, began),
        Turn(LOG, began, _quiet(0)),
        after,
    )


def test_where_sightings_are_gone_by_the_hour_then_by_the_day() -> None:
    """They are kept for a shorter time."""
    _see(Source.DNS, 9 * DAY)
    _see(Source.LOG, 3 * DAY)
    Seen.objects.all().delete()
    began = start_of(NOW - 3 * DAY, HOUR) * 1000
    assert turns_of(1, MONTH)[1][1] == Turn(LOG, began, _quiet(3 * DAY))
    Total.objects.filter(step=HOUR).delete()
    began = start_of(NOW - 3 * DAY, DAY) * 1000
    assert turns_of(1, MONTH)[1][1] == Turn(LOG, began, _quiet(3 * DAY))


def test_a_source_that_falls_silent_leaves_its_turn_after_a_week() -> None:
    """To the next best; and takes it again when it tells something again."""
    _see(Source.DNS, 25 * DAY, 1)
    _see(Source.POLICY, *(ago * DAY for ago in (22, 15, 8, 2)), 100)
    _see(Source.LOG, 20 * DAY, 3 * DAY)
    turns = turns_of(1, MONTH)[1]
    assert [one.source for one in turns] == [DNS, POLICY, LOG, POLICY, LOG, POLICY, DNS]
    assert turns[2].until == _quiet(20 * DAY)
    assert best_at(turns, round((NOW - 11 * DAY) * 1000)) == POLICY


def test_what_began_before_the_time_that_is_meant_was_there_all_along() -> None:
    """So nothing has to be looked up of it; of several servers each has its own beginning."""
    for server, ago in ((1, 20 * DAY), (2, 2 * DAY), (3, 2 * DAY + 100)):
        _see(Source.DNS, 25 * DAY, 1, server=server)
        for later in range(0, int(ago), 5 * DAY):
            _see(Source.LOG, later + 100, server=server)
        _see(Source.LOG, ago, server=server)
    turns = turns_of(1, NOW - 10 * DAY)
    assert turns[1][0] == Turn(LOG, 0, _quiet(100))
    assert [turns[server][0].until for server in (2, 3)] == [
        round((NOW - 2 * DAY) * 1000),
        round((NOW - 2 * DAY - 100) * 1000),
    ]
