"""Logging seldom."""

from mailmum.daemons.seldom import Seldom, kind_of


def test_each_kind_is_due_once_in_a_while() -> None:
    """Whatever is asked about others."""
    now = [0.0]
    seldom = Seldom(10.0, lambda: now[0])
    assert [seldom.due(kind) for kind in ("a", "b", "a", "b")] == [True, True, False, False]
    now[0] = 9.9
    assert not seldom.due("a")
    now[0] = 10.0
    assert seldom.due("a")
    assert not seldom.due("a")


def test_it_does_not_grow_with_the_kinds() -> None:
    """Many kinds are forgotten, and then due once more."""
    seldom = Seldom(10.0, lambda: 0.0)
    for number in range(1000):
        assert seldom.due(number)
    assert len(seldom._last) <= 64


def test_a_kind_of_error_is_what_was_raised_and_where() -> None:
    """The same line raising the same is one kind."""
    kinds = {kind_of(_caught(text)) for text in ("", "x", "y")}
    assert len(kinds) == 2
    assert kind_of(ValueError()) == (ValueError, "", 0)


def _caught(text: str) -> Exception:
    try:
        if text:
            int(text)
        else:
            [].pop()
    except (ValueError, IndexError) as error:
        return error
    raise AssertionError(text)
