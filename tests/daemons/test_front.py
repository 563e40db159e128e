"""Others rest while one is in front, and not for ever."""

import threading

import pytest

from mailmum.daemons.front import Front


def test_giving_way() -> None:
    """Nobody waits for nothing; who waits goes on when the place is free."""
    front, went = Front(), threading.Event()

    def other() -> None:
        if front.give_way(60):
            went.set()

    assert front.give_way(0)
    with front.taken():
        assert not front.give_way(0)
        waiting = threading.Thread(target=other)
        waiting.start()
        assert not went.is_set()
    waiting.join(60)
    assert went.is_set()


def test_the_place_is_free_after_a_failure() -> None:
    """A database that is away keeps nobody else waiting."""
    front = Front()
    with pytest.raises(OSError, match="away"), front.taken():
        raise OSError("away")
    assert front.give_way(0)
