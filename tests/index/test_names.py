"""Tables of names through many changes, and what lies below a name."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NameTarget
from mailmum.index.below import Below, Lasting
from mailmum.index.names import NameColumns, NameTable
from tests.domain.worlds import names


def listing(number: int, target: NameTarget, reason: str = "") -> Listing:
    """A block of account 1."""
    return Listing(number, 1, 0, Action.BLOCK, target, reason=reason)


HOST = NameTarget("mail.spam.example", whole=False)


def test_rows_and_terms_are_used_again() -> None:
    """However often listings come and go, each with a reason of its own."""
    table = NameTable(1, 0)
    table.put(
        listing(1, NameTarget("spam.example", whole=True), "stays"),
        NameTarget("spam.example", whole=True),
    )
    for number in range(2, 2000):
        table.put(listing(number, HOST, f"reason {number}"), HOST)
        assert [one.id for one in table.covering(HOST.name, 0.0)] == [number, 1]
        table.remove(number, HOST)
    columns = table.capture().columns()
    assert len(table) == len(columns.ids) == 1
    captured = table.capture().rows
    assert len(captured.ids) == 2
    assert len(captured.terms) < 100
    hit = table.find("a.spam.example", 0.0)
    assert hit is not None
    assert (hit.id, hit.reason) == (1, "stays")


def test_a_capture_does_not_change() -> None:
    """It is read in another thread while changes go on."""
    table = NameTable(1, 0)
    for number in (1, 2, 3):
        table.put(listing(number, HOST), HOST)
    captured = table.capture()
    table.remove(2, HOST)
    table.put(listing(4, HOST, "new"), HOST)
    assert list(captured.columns().ids) == [1, 2, 3]
    assert [one.id for one in table.covering(HOST.name, 0.0)] == [1, 3, 4]


def test_rows_of_a_target_must_stand_together() -> None:
    """A chain through other targets' rows would mix them up."""
    table = NameTable(1, 0)
    for number, name in ((1, "a.example"), (2, "b.example"), (3, "c.example")):
        table.put(listing(number, NameTarget(name, whole=False)), NameTarget(name, whole=False))
    rows = table.capture().columns()
    mixed = NameColumns(
        ["a.example", "b.example", "a.example"], (), rows.ids, rows.kinds, rows.expires, rows.terms
    )
    with pytest.raises(ValueError, match=r"rows of a\.example do not stand together"):
        NameTable(1, 0).restore(mixed)


def test_a_removed_row_is_not_followed() -> None:
    """The chain of a target ends where its last listing does."""
    table = NameTable(1, 0)
    for number in (1, 2):
        table.put(listing(number, HOST), HOST)
    table.remove(2, HOST)
    other = replace(HOST, name="other.example")
    table.put(listing(3, other), other)
    assert [one.id for one in table.covering(HOST.name, 0.0)] == [1]
    assert [one.id for one in table.covering("other.example", 0.0)] == [3]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_the_last_end(steps: list[tuple[bool, int]]) -> None:
    """The greatest of those that were added and not removed, at every step."""
    lasting, model = Lasting(), Counter[int]()
    for add, end in steps:
        if add:
            lasting.add(end)
            model[end] += 1
        elif model[end]:
            lasting.remove(end)
            model[end] -= 1
        left = [value for value, count in model.items() if count]
        assert lasting.last() == max(left, default=None)
        assert bool(lasting) == bool(left)


@given(
    st.lists(st.tuples(names(), st.one_of(st.none(), st.integers(1, 5))), max_size=30),
    st.lists(st.integers(0, 29)),
    names(),
    st.floats(0, 6),
)
def test_what_lies_below(
    added: list[tuple[str, int | None]], removed: list[int], asked: str, now: float
) -> None:
    """As a search through all names finds it."""
    below = Below()
    for name, expires in added:
        below.add(name, expires)
    left = dict(enumerate(added))
    for number in removed:
        if number in left:
            below.remove(*left.pop(number))
    expected = any(
        name.endswith(f".{asked}") and (expires is None or now < expires)
        for name, expires in left.values()
    )
    assert below.any(asked, now) == expected
