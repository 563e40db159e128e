r"""Volume over time in characters: stopped on accepted, one column a bucket.

>>> print("\n".join(row for row in columns([4, 2], [0, 2], [0, 0], 4, BLOCKS)))
▒█
▒█
▒▒
▒▒
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailmum.charts.axes import axis
from mailmum.charts.moments import Buckets, Tick

_HEIGHT = 8
_SCALE = 8
_WIDEST = 4


@dataclass(frozen=True, slots=True)
class Ink:
    """Characters to draw with: accepted, stopped, neither, no data, and the line below."""

    accepted: str
    stopped: str
    other: str
    nothing: str
    base: str
    bar: str


BLOCKS = Ink("▒", "█", "░", "/", "─", "█")
ASCII = Ink("o", "#", ".", "/", "-", "#")


def columns(
    accepted: Sequence[int],
    stopped: Sequence[int],
    other: Sequence[int],
    height: int,
    ink: Ink,
    gaps: Sequence[tuple[int, int]] = (),
) -> list[str]:
    """The rows of the plot from the top, without an axis."""
    most = max(map(sum, zip(accepted, stopped, other, strict=True)), default=0)
    scale = height / (axis(most)[1] if most > height else max(most, 1))
    rows = []
    for level in range(height - 1, -1, -1):
        middle = level + 0.5
        cells = [
            _cell(middle, [low * scale, mid * scale, top * scale], ink)
            for low, mid, top in zip(accepted, stopped, other, strict=True)
        ]
        for first, after in gaps:
            cells[first:after] = ink.nothing * (after - first)
        rows.append("".join(cells))
    return rows


def _cell(middle: float, parts: list[float], ink: Ink) -> str:
    below = 0.0
    for height, character in zip(parts, (ink.accepted, ink.stopped, ink.other), strict=True):
        below += height
        if middle <= below:
            return character
    # What is there at all is seen: the lowest cell of a bucket is never empty.
    if middle < 1 and below > 0:
        return (ink.accepted, ink.stopped, ink.other)[parts.index(max(parts))]
    return " "


def plot(
    buckets: Buckets,
    series: tuple[Sequence[int], Sequence[int], Sequence[int]],
    ink: Ink,
    width: int,
    gaps: Sequence[tuple[int, int]] = (),
) -> list[str]:
    """The whole of it with its axes, one line a text; columns are as wide as there is room for.

    Args:
        buckets: the time.
        series: accepted, stopped, other.
        ink: characters to draw with.
        width: columns at most.
        gaps: buckets without data.
    """
    wide = max(min((width - _SCALE) // max(len(buckets), 1), _WIDEST), 1)
    most = max(map(sum, zip(*series, strict=True)), default=0)
    top = axis(most)[1] if most > _HEIGHT else max(most, 1)
    drawn = []
    for number, row in enumerate(columns(*series, _HEIGHT, ink, gaps)):
        value = round(top * (_HEIGHT - number) / _HEIGHT)
        label = f"{value:,}" if number % 4 == 0 else ""
        drawn.append(f"{label:>{_SCALE}} {''.join(cell * wide for cell in row)}")
    whole = len(buckets) * wide
    labels = _labels(buckets.ticks(max(whole // 11, 2)), wide, whole)
    drawn += [f"{'0':>{_SCALE}} {ink.base * whole}", f"{'':{_SCALE}} {labels}"]
    return [line.rstrip() for line in drawn]


def _labels(ticks: Sequence[Tick], wide: int, width: int) -> str:
    line = ""
    for tick in ticks:
        at = min(tick.bucket * wide, max(width - len(tick.text), 0))
        if at > len(line) or not line:
            line = line.ljust(at) + tick.text
    return line
