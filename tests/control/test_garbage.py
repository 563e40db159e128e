"""The search for garbage rests where it was asked to, and is always taken up again."""

import gc
from collections.abc import Iterator

import pytest

from mailmum.control.garbage import each_uncollected, uncollected


def _steps(said: list[bool]) -> Iterator[int]:
    for number in range(3):
        said.append(gc.isenabled())
        yield number
    said.append(gc.isenabled())


def test_it_rests_within_steps_and_not_between() -> None:
    """Somebody who stops after the first step leaves it going, too."""
    within: list[bool] = []
    between = [(step, gc.isenabled()) for step in each_uncollected(_steps(within))]
    assert within == [False] * 4
    assert between == [(0, True), (1, True), (2, True)]
    assert next(iter(each_uncollected(_steps([])))) == 0
    assert gc.isenabled()


def test_a_fault_takes_it_up_again() -> None:
    """What goes wrong within is told as it is."""

    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("x")

    with pytest.raises(KeyError):
        list(each_uncollected(broken()))
    assert gc.isenabled()


def test_who_finds_it_resting_leaves_it_so() -> None:
    """Two at once: the one who stopped it takes it up."""
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
