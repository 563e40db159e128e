"""What waits to be handed in: in order, bounded, and whole after any interruption."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.cli.failures import Failure
from mailmum.cli.ship_queue import Batch, InMemory, Spool
from mailmum.daemons.positions import Position


def place(number: int) -> str | None:
    """The position after that many batches."""
    return Position(number, 0, str(number)).text() if number else None


def batch(number: int, *, size: int = 100) -> Batch:
    """The batch with this number, of ten lines, incompressible and so large."""
    position = place(number)
    assert position is not None
    body = bytes((number * 7 + at * 13) % 251 for at in range(size))
    return Batch(place(number - 1), position, 10, 0, read=1.5, body=body)


@contextmanager
def spool(folder: Path, limit: int = 1_000_000) -> Iterator[Spool]:
    """A spool that is closed at the end, as by a process that ends."""
    made = Spool(folder, limit)
    try:
        yield made
    finally:
        made.close()


def drain(queue: Spool) -> list[Batch]:
    """All that waits, in order."""
    found = []
    while (first := queue.first()) is not None:
        found.append(first)
        queue.take()
    return found


def test_what_was_put_comes_out_in_order(tmp_path: Path) -> None:
    """Also by another process."""
    with spool(tmp_path / "a") as made:
        for number in range(1, 6):
            assert made.put(batch(number)) == 0
        assert made.last == place(5)
        made.take()
    with spool(tmp_path / "a") as again:
        assert again.last == place(5)
        assert drain(again) == [batch(number) for number in range(2, 6)]
        assert (again.last, again.first()) == (None, None)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """The second is told, and the first goes on."""
    with spool(tmp_path / "a") as made:
        with pytest.raises(Failure, match="is in use"):
            Spool(tmp_path / "a", 1000)
        made.put(batch(1))
    with spool(tmp_path / "a"):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A refusal with the fix."""
    (tmp_path / "a").write_text("")
    with pytest.raises(Failure, match="choose another with --spool"):
        Spool(tmp_path / "a" / "b", 1000)


def test_when_it_is_full_the_oldest_but_the_first_give_way(tmp_path: Path) -> None:
    """The first may be at the service already. The heir says how many lines are missing."""
    with spool(tmp_path / "a", 5000) as made:
        lost = sum(made.put(batch(number, size=1000)) for number in range(1, 21))
        found = drain(made)
    assert found[0] == batch(1, size=1000)
    assert found[-1] == batch(20, size=1000)
    assert len(found) < 6
    assert sum(one.count for one in found) + sum(one.lost for one in found) == 200
    assert lost == sum(one.lost for one in found)
    assert [one.after for one in found[1:]] == [one.position for one in found[:-1]]


def test_a_file_that_is_gone_breaks_no_chain(tmp_path: Path) -> None:
    """It is said, and the others are sent."""
    with spool(tmp_path / "a") as made:
        for number in range(1, 5):
            made.put(batch(number))
    (tmp_path / "a" / f"{2:016}.batch").write_bytes(b"damaged")
    with spool(tmp_path / "a") as again:
        found = drain(again)
    assert [one.position for one in found] == [place(1), place(3), place(4)]
    assert found[1].after == place(1)


@pytest.mark.parametrize("number", [2, 3])
def test_a_file_that_was_being_written(tmp_path: Path, number: int) -> None:
    """Whole or not, it does not count before it has its name."""
    with spool(tmp_path / "a") as made:
        made.put(batch(1))
        made.put(batch(2))
    (tmp_path / "a" / f"{number:016}.new").write_bytes(batch(number).pack())
    with spool(tmp_path / "a") as again:
        assert [one.position for one in drain(again)] == [place(1), place(2)]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["lock"]


def test_what_the_service_has_is_forgotten(tmp_path: Path) -> None:
    """Up to the position that it names, if that is one of the chain."""
    with spool(tmp_path / "a") as made:
        for number in range(1, 5):
            made.put(batch(number))
        assert not made.forget("elsewhere")
        third = place(3)
        assert third is not None
        assert made.forget(third)
        made.move("elsewhere")
        first = made.first()
        assert first is not None
        assert (first.after, first.position) == ("elsewhere", place(4))
        made.clear()
        assert made.first() is None


def test_in_memory_there_is_room_for_one() -> None:
    """Nothing is read while it waits."""
    queue = InMemory()
    assert not queue.full
    assert queue.put(batch(1)) == 0
    assert (queue.full, queue.last, queue.first()) == (True, place(1), batch(1))
    queue.move("x")
    assert not queue.forget("elsewhere")
    assert queue.forget(str(place(1)))
    assert not queue.full


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from(("put", "take", "restart", "kill")), max_size=25),
    keep=st.integers(0, 10_000),
)
def test_being_killed_costs_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], keep: int
) -> None:
    """At any moment between two files: lines that are dropped are counted, and no others miss."""
    folder = tmp_path_factory.mktemp("spool")
    made, number, taken = Spool(folder, 3000), 0, 0
    for step in steps:
        if step == "put":
            number += 1
            made.put(batch(number, size=700))
        elif step == "take" and (first := made.first()) is not None:
            taken += first.count + first.lost
            made.take()
        elif step == "restart":
            made.close()
            made = Spool(folder, 3000)
        elif step == "kill":
            _kill_while_dropping(made)
            made.close()
            made = Spool(folder, 3000)
    left = drain(made)
    made.close()
    assert taken + sum(one.count + one.lost for one in left) == number * 10


def _kill_while_dropping(made: Spool) -> None:
    """Once the heir has been written and before its predecessor is removed."""

    class Killed(Exception):
        pass

    def die(number: int) -> None:
        raise Killed

    if len(made._waiting) < 3:
        return
    made._remove, made._limit = die, 0  # type: ignore[method-assign]
    with pytest.raises(Killed):
        made._shrink()


@given(st.binary(max_size=300) | st.builds(lambda data: batch(3).pack()[:data], st.integers(0, 99)))
def test_any_bytes_are_a_batch_or_none(data: bytes) -> None:
    """Nothing but a ValueError."""
    try:
        found = Batch.unpack(data)
    except (ValueError, RecursionError):
        return
    assert Batch.unpack(found.pack()) == found


def test_a_batch_survives_as_bytes() -> None:
    """With any bytes in its body."""
    one = Batch(None, str(place(1)), 1, 0, read=0.0, body=gzip.compress(b"\n\0\xff\n"))
    assert Batch.unpack(one.pack()) == one
