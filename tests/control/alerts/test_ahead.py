"""What the page of alerts tells before the worker has looked: the silence that marks show."""

import pytest
from django.db import DatabaseError

from mailmum.control.alerts import ahead as module
from mailmum.control.alerts.ahead import Ahead, ahead
from mailmum.control.alerts.comparing import look
from mailmum.control.alerts.models import Alert
from mailmum.traffic.periods import DAY
from tests.control.monitor.kit import Traffic
from tests.support.world import World


def test_a_silent_server_is_told_at_once_and_once(world: World, traffic: Traffic) -> None:
    """As the worker will tell it, to its own account only; and so is that it is heard again."""
    traffic.log(*traffic.pool(ago=3000))
    later = traffic.now + 3 * DAY
    (coming,) = ahead(world.viewer, now=later).coming
    assert (coming.about, coming.link) == ("mx1", "server/mx1/")
    assert ahead(world.outsider, now=later) == Ahead()
    assert not Alert.objects.exists()
    look(world.owner.account, now=later)
    opened = Alert.objects.get(kind="server-silent")
    assert (opened.text, opened.severity, opened.since) == (
        coming.text,
        coming.severity,
        coming.since,
    )
    assert ahead(world.viewer, now=later) == Ahead()
    assert ahead(world.viewer, now=traffic.now - 2900) == Ahead(over=frozenset({opened.pk}))


def test_traffic_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known then, and the page stands."""

    def away(*_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(module, "asked", away)
    assert ahead(world.viewer) == Ahead()
