"""Following live: nothing left out and nothing twice, whoever comes, goes or is slow.

The hub asks from threads of its own, so these tests commit what they write.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connections

from mailmum.control.monitor import live
from mailmum.control.monitor.live import Came, Hub
from mailmum.control.traffic.find import latest
from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.models import Seen
from mailmum.control.traffic.reading import Wanted
from mailmum.domain.errors import Conflict
from mailmum.traffic.sightings import Outcome, Source
from tests.control.traffic.kit import NOW, Batch, seen

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often; and leave no connection in a thread when the database is emptied."""
    monkeypatch.setattr(live, "PAUSE", 0.01)
    monkeypatch.setattr(live, "QUIET", 0.2)
    asked = live._asked

    def close_after(question: Callable[[], Any]) -> Any:
        try:
            return asked(question)
        finally:
            connections.close_all()

    monkeypatch.setattr(live, "_asked", close_after)


def put(account: int, *clients: str, outcome: Outcome = Outcome.REJECTED) -> None:
    """Keep a sighting of each client."""
    batch = Batch([seen(client=client, outcome=outcome) for client in clients])
    keep(account, 7, Source.LOG, batch, now=NOW)
    connections.close_all()


put_later = sync_to_async(put, thread_sensitive=False)


async def elsewhere(question: Callable[[], Any]) -> Any:
    """Ask the database from another thread, and leave no connection there."""

    def ask() -> Any:
        try:
            return question()
        finally:
            connections.close_all()

    return await sync_to_async(ask, thread_sensitive=False)()


def clients(last: int, count: int) -> list[str]:
    """Some clients."""
    return [f"10.{last}.{number >> 8}.{number & 255}" for number in range(count)]


async def take(stream: AsyncGenerator[Came, None], count: int) -> list[str]:
    """The next so many sightings, by client."""
    found: list[str] = []
    while len(found) < count:
        came = await asyncio.wait_for(anext(stream), 20)
        found += [kept.sighting.client or "" for kept in came.found]
    assert len(found) == count
    return found


async def opened(stream: AsyncGenerator[Came, None]) -> int:
    """Begin, and the cursor."""
    came = await anext(stream)
    assert came.found == ()
    return came.cursor


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in a loop of its own."""
    asyncio.run(test())


def test_what_comes_is_handed_to_whom_it_belongs() -> None:
    """Each account its own, each listener what it wants; nothing from before."""
    put(1, "10.0.0.1")

    async def test() -> None:
        hub = Hub()
        wanted = Wanted(outcomes=frozenset({Outcome.ACCEPTED}))
        async with (
            aclosing(hub.follow(1, Wanted())) as everything,
            aclosing(hub.follow(1, wanted)) as mail,
            aclosing(hub.follow(2, Wanted())) as other,
        ):
            for stream in (everything, mail, other):
                await opened(stream)
            await put_later(1, "10.0.0.2")
            await put_later(2, "10.0.0.3")
            await put_later(1, "10.0.0.4", outcome=Outcome.ACCEPTED)
            assert await take(everything, 2) == ["10.0.0.2", "10.0.0.4"]
            assert await take(mail, 1) == ["10.0.0.4"]
            assert await take(other, 1) == ["10.0.0.3"]
        assert not hub._listeners

    run(test)


def test_a_cursor_goes_on_where_it_was() -> None:
    """Here or at another hub that is behind; one that is ahead hands out nothing twice."""
    put(1, *clients(1, 30))

    async def test() -> None:
        one, other = Hub(), Hub()
        first = Seen.objects.order_by("id").values_list("id", flat=True).first
        begin = await elsewhere(first)
        async with aclosing(one.follow(1, Wanted(), begin)) as stream:
            assert await take(stream, 29) == clients(1, 30)[1:]
        behind = other.follow(1, Wanted())
        await opened(behind)
        await put_later(1, *clients(2, 5))
        cursor = await elsewhere(latest)
        other._position = cursor - 5  # it has not looked yet
        async with aclosing(other.follow(1, Wanted(), cursor)) as stream:
            assert await opened(stream) == cursor
            await put_later(1, "10.9.9.9")
            assert await take(stream, 1) == ["10.9.9.9"]
        await behind.aclose()

    run(test)


def test_a_cursor_of_another_database_begins_now() -> None:
    """One beyond what there is cannot wait until so much has come."""

    async def test() -> None:
        async with aclosing(Hub().follow(1, Wanted(), 10**12)) as stream:
            assert await opened(stream) < 10**12
            await put_later(1, "10.0.0.1")
            assert await take(stream, 1) == ["10.0.0.1"]

    run(test)


def test_a_slow_listener_reads_what_it_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its waiting sightings are bounded, and come from the database afterwards."""
    monkeypatch.setattr(live, "WAITING", 10)

    async def test() -> None:
        hub = Hub()
        async with aclosing(hub.follow(1, Wanted())) as stream:
            await opened(stream)
            expected: list[str] = []
            for batch in range(6):
                some = clients(batch, 7)
                expected += some
                await put_later(1, *some)
                await asyncio.sleep(0.05)
                assert all(len(one.waiting) <= 10 for one in hub._listeners)
            assert await take(stream, len(expected)) == expected
            await put_later(1, "10.9.9.9")
            assert await take(stream, 1) == ["10.9.9.9"]

    run(test)


def test_while_many_write_nothing_is_missed() -> None:
    """Listeners come and go meanwhile, each with its cursor."""
    batches, size = 12, 9

    def write(thread: int) -> None:
        for batch in range(batches):
            put(1, *clients(thread * 20 + batch, size))

    expected = {c for t in range(3) for b in range(batches) for c in clients(t * 20 + b, size)}

    async def test() -> None:
        hub, cursor, found = Hub(), 0, list[str]()
        threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        while len(found) < len(expected):
            async with aclosing(hub.follow(1, Wanted(), cursor)) as stream:
                for _ in range(4):
                    came = await asyncio.wait_for(anext(stream), 20)
                    found += [kept.sighting.client or "" for kept in came.found]
                    cursor = came.cursor
        for thread in threads:
            await elsewhere(thread.join)
        assert len(found) == len(set(found))
        assert set(found) == expected

    run(test)


def test_one_look_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many follow, the database is asked as often as for one; for nobody not at all."""
    looks: list[frozenset[int]] = []
    fresh = live._fresh

    def count(accounts: frozenset[int], after: int) -> Any:
        looks.append(accounts)
        return fresh(accounts, after)

    monkeypatch.setattr(live, "_fresh", count)

    async def test() -> None:
        hub = Hub()
        streams = [hub.follow(account, Wanted()) for account in (1, 1, 1, 2, 2)]
        for stream in streams:
            await opened(stream)
        looks.clear()
        await put_later(1, "10.0.0.1")
        await put_later(2, "10.0.0.2")
        for stream in streams:
            await take(stream, 1)
        assert set(looks) == {frozenset({1, 2})}
        for stream in streams:
            await stream.aclose()
        await asyncio.sleep(0.1)
        looks.clear()
        await asyncio.sleep(0.1)
        assert looks == []

    run(test)


def test_there_may_be_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an account, and of all; who leaves makes room."""
    monkeypatch.setattr(live, "MOST_OF_AN_ACCOUNT", 2)
    monkeypatch.setattr(live, "MOST", 3)

    async def test() -> None:
        hub = Hub()
        streams = [hub.follow(account, Wanted()) for account in (1, 1, 2)]
        for stream in streams:
            await opened(stream)
        for account in (1, 2):
            with pytest.raises(Conflict):
                await opened(hub.follow(account, Wanted()))
        await streams.pop().aclose()
        with pytest.raises(Conflict):
            await opened(hub.follow(1, Wanted()))
        streams.append(hub.follow(2, Wanted()))
        await opened(streams[-1])
        for stream in streams:
            await stream.aclose()

    run(test)


def test_a_database_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came meanwhile comes then."""
    fresh, fails = live._fresh, [True]

    def away(accounts: frozenset[int], after: int) -> Any:
        if fails[0]:
            raise OperationalError("away")
        return fresh(accounts, after)

    monkeypatch.setattr(live, "_fresh", away)

    async def test() -> None:
        async with aclosing(Hub().follow(1, Wanted())) as stream:
            cursor = await opened(stream)
            await put_later(1, "10.0.0.1")
            assert await asyncio.wait_for(anext(stream), 5) == Came((), cursor)
            fails[0] = False
            assert await take(stream, 1) == ["10.0.0.1"]

    run(test)


def test_an_older_database_lets_everybody_go() -> None:
    """They come again; whoever stayed would wait for numbers that are long past."""
    put(1, *clients(1, 5))

    async def test() -> None:
        hub = Hub()
        async with aclosing(hub.follow(1, Wanted())) as stream:
            await opened(stream)
            await elsewhere(lambda: Seen.objects.all().delete())
            async with asyncio.timeout(10):
                assert [came.found async for came in stream if came.found] == []

    run(test)


def test_the_end_of_the_service_ends_all() -> None:
    """At once, not after the next sighting."""

    async def test() -> None:
        hub = live.hub()
        assert live.hub() is hub
        streams = [hub.follow(account, Wanted()) for account in (1, 2)]
        for stream in streams:
            await opened(stream)
        hub.end()
        for stream in streams:
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(anext(stream), 0.15)

    run(test)
