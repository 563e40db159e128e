"""Charts in a line: shares add up, lengths are the counts, labels say it in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.charts.series import Series
from mailmum.charts.small import bar, spark, split
from tests.charts.reading import bars, parsed


def width(one: object) -> float:
    """In percent."""
    return float(one.get("width").rstrip("%"))  # type: ignore[attr-defined]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_shares(counts: list[int]) -> None:
    """Each begins where those before it end, and none leaves the bar."""
    tree = parsed(split([(f"k{at}", f"Kind {at}", count) for at, count in enumerate(counts)]))
    total = sum(counts)
    left = 0
    shown = [(at, count) for at, count in enumerate(counts) if count]
    for (at, count), rect in zip(shown, tree.iter("rect"), strict=True):
        assert rect.get("class") == f"f-k{at}"
        begin = float((rect.get("x") or "").rstrip("%"))
        assert begin == pytest.approx(100 * left / total, abs=0.01)
        assert width(rect) == pytest.approx(max(100 * count / total - 0.6, 0.4), abs=0.01)
        left += count
    label = ", ".join(f"Kind {at} {count:,}" for at, count in shown)
    assert tree.get("aria-label") == (label or "nothing")


def test_shares_of_a_larger_whole() -> None:
    """Rows of a table can be compared."""
    assert [width(one) for one in parsed(split([("a", "A", 25)], most=100)).iter("rect")] == [24.4]


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_bar(value: int, part: int, most: int) -> None:
    """Never beyond the whole, and the part never beyond its bar."""
    soft, full = parsed(bar("rbl", value, part, most, "x")).iter("rect")
    assert 0 <= width(full) <= width(soft) <= 100
    assert width(soft) == pytest.approx(100 * value / max(most, value, 1), abs=0.01)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=40))
def test_spark(pairs: list[tuple[int, int]]) -> None:
    """Accepted below, stopped above, the highest bucket as high as the line."""
    series = [
        Series("accepted", "Accepted", [one for one, _ in pairs]),
        Series("ink", "Stopped", [two for _, two in pairs]),
    ]
    tree = parsed(spark(series, "a week", gaps=[(0, 1)], more="sm"))
    tops = [22.0] * max(len(pairs), 1)
    for path in tree.iter("path"):
        for at, top, _ in bars(path):
            assert top < tops[at]
            tops[at] = top
    most = max((one + two for one, two in pairs), default=0)
    for at, (one, two) in enumerate(pairs):
        assert 22 - tops[at] == pytest.approx(22 * (one + two) / (most or 1), abs=0.05)
    assert tree.get("class") == "spark sm"
    assert tree.get("aria-label") == "a week"
    assert [one.get("class") for one in tree.iter("rect")] == ["f-line"]
