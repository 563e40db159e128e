"""What one page asks for alike is read once, and no longer than that."""

import pytest

from mailmum.control.once import once, read_once


def test_read_once() -> None:
    """Each question once within, told apart by all arguments; every time outside."""
    asked: list[tuple[int, bool]] = []

    @once
    def reading(number: int, *, wide: bool = False) -> list[int]:
        asked.append((number, wide))
        return [number]

    with read_once():
        assert reading(1) is reading(1)
        assert reading(2) == [2]
        assert reading(1, wide=True) == [1]
    assert asked == [(1, False), (2, False), (1, True)]
    with read_once():
        reading(1)
    reading(1)
    reading(1)
    assert asked[3:] == [(1, False)] * 3


def test_what_fails_is_asked_again() -> None:
    """A fault is nobody's answer; the page goes on, and nothing of it is kept afterwards."""
    faults = [LookupError("away")]

    @once
    def reading() -> str:
        if faults:
            raise faults.pop()
        return "there"

    with read_once():
        with pytest.raises(LookupError):
            reading()
        assert reading() == "there"
    with pytest.raises(LookupError), read_once():
        raise LookupError
    faults.append(LookupError("away"))
    with pytest.raises(LookupError):
        reading()
