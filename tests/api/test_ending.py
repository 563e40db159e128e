"""Long work over the API, whose reader leaves, or whose service is stopped."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from mailmum.control import streaming
from mailmum.control.triggers import trying
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.trying import Wish
from tests.api.conftest import Callers
from tests.api.test_triggers import RULE
from tests.control.triggers.kit import Scene, scene

__all__ = ["scene"]

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
"""It is done in threads of its own."""


def lines_of(response: Any) -> list[dict[str, Any]]:
    async def read() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return [json.loads(line) for line in async_to_sync(read)().splitlines()]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the service has been told to stop."""
    event = threading.Event()
    monkeypatch.setattr(streaming, "_ending", event)
    return event


def test_a_backtest_ends_with_its_reader(
    api: Callers, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step is made that nobody waits for, and what it has started is closed."""
    made, closed, real = list[type](), threading.Event(), trying.tried

    def watched(access: Any, wish: Wish) -> Iterator[Any]:
        try:
            for step in real(access, wish):
                made.append(type(step))
                yield step
        finally:
            closed.set()

    monkeypatch.setattr("mailmum.api.triggers.tried", watched)
    scene.see(ago=7200)
    response: Any = api.viewer.raw("POST", "/triggers/backtest", json.dumps(RULE))

    async def look_and_leave() -> bytes:
        first = await anext(response._iterator)
        await response._iterator.aclose()
        # The test client has wrapped it; what is inside is closed in its turn.
        assert await asyncio.to_thread(closed.wait, 30)
        return bytes(first)

    assert "progress" in json.loads(async_to_sync(look_and_leave)())
    assert made == [Progress]


def test_long_work_is_refused_when_the_service_ends(
    api: Callers, scene: Scene, ended: threading.Event
) -> None:
    """Its reader is told, and nothing was changed; what is done by then stays done."""
    scene.see(ago=7200)
    assert "report" in lines_of(api.admin.raw("POST", "/import", b"203.0.113.1\n", label="a"))[-1]
    ended.set()
    imported = api.admin.raw("POST", "/import", b"203.0.113.2\n", label="b")
    tried = api.viewer.raw("POST", "/triggers/backtest", json.dumps(RULE))
    for response in (imported, tried):
        error = lines_of(response)[-1]["error"]
        assert (error["code"], error["fix"]) == ("unavailable", "ask again when it runs")
    listed = api.viewer("GET", "/listings")[1]["listings"]
    assert [one["target"] for one in listed] == ["203.0.113.1"]
