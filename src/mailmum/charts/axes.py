"""Axes of counts: where the grid lines lie, and how their numbers read."""

_LINES = 4.6
_HEADROOM = 1.04


def axis(most: int) -> tuple[int, float]:
    """Step of the grid and top of the axis for counts up to `most`.

    The step is 1, 2, 2.5 or 5 times a power of ten and whole; there are two to four lines where
    the counts allow it.

    >>> axis(1600)
    (500, 1664.0)
    """
    top = max(most, 1)
    power = 1
    while True:
        for factor in (2, 4, 5, 10):
            step, rest = divmod(factor * power, 2)
            if not rest and top / step < _LINES:
                return step, top * _HEADROOM
        power *= 10


def lines(most: int) -> range:
    """The counts at which grid lines lie.

    >>> list(lines(1600))
    [500, 1000, 1500]
    """
    step, top = axis(most)
    return range(step, int(top) + 1, step)
