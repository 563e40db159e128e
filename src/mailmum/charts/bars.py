"""Bars of one series as one path, and the frame around a chart."""

from collections.abc import Sequence

from mailmum.charts.markup import Markup, element, number

GAP = 0.12
_HAIRLINE = 0.7


def bars(values: Sequence[int], base: list[float], scale: float, gap: float = GAP) -> str:
    """The path of one series.

    Args:
        values: one count a bucket.
        base: y in pixels on which each bar stands; it is raised by the bar's height, so that the
            next series stands on this one.
        scale: pixels for one.
        gap: part of a bucket that stays free.
    """
    path = []
    width = number(1 - gap)
    for at, value in enumerate(values):
        height = value * scale
        if height <= 0:
            continue
        y = base[at] - height
        # A hairline between layers: shapes do not need colour then.
        shown = height - (_HAIRLINE if height > 2 else 0)
        path.append(f"M{number(at + gap / 2)} {number(y)}h{width}v{number(shown)}h-{width}z")
        base[at] = y
    return "".join(path)


def stretched(count: int, y: float, height: float, *children: str) -> Markup:
    """A plane of which x is in buckets and that stretches with the chart."""
    return element(
        "svg",
        *children,
        y=y,
        width="100%",
        height=height,
        viewBox=f"0 0 {count} {number(height)}",
        preserveAspectRatio="none",
    )


def percent(part: float, whole: float) -> str:
    """A place or a length in percent of the width.

    >>> percent(1, 8)
    '12.5%'
    """
    return f"{number(100 * part / whole)}%"


def small(name: str, label: str, box: tuple[int, int] | None, *children: str) -> Markup:
    """A chart within a line or a table: its label says all of it."""
    return element(
        "svg",
        element("title", label),
        *children,
        class_=name,
        viewBox=None if box is None else f"0 0 {box[0]} {box[1]}",
        preserveAspectRatio=None if box is None else "none",
        role="img",
        aria_label=label,
    )
