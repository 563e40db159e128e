"""Charts that stand within a table or a line of text: sparks, shares, bars of a list."""

from collections.abc import Sequence

from mailmum.charts.bars import bars, percent, small
from mailmum.charts.markup import Markup, element, filled
from mailmum.charts.series import Series, sums

_SPARK = 22
_SPARK_GAP = 0.2
# Percent that shares leave free between them, and the least that a share is wide.
_BETWEEN, _LEAST = 0.6, 0.4


def spark(
    series: Sequence[Series], label: str, *, gaps: Sequence[tuple[int, int]] = (), more: str = ""
) -> Markup:
    """A week in the height of a line; time without data is a low grey block.

    Args:
        series: from the base up.
        label: what it shows, in words.
        gaps: buckets without data, from one to before another.
        more: another class, such as `sm`.
    """
    count = max((len(one.values) for one in series), default=0)
    most = max(sums(series, count), default=0)
    base = [float(_SPARK)] * count
    drawn = [
        element(
            "path",
            class_=f"f-{one.kind}",
            d=bars(one.values, base, _SPARK / (most or 1), _SPARK_GAP),
        )
        for one in series
    ]
    drawn += [
        element("rect", class_="f-line", x=first, y=_SPARK - 4, width=after - first, height=4)
        for first, after in gaps
    ]
    return small(f"spark {more}".strip(), label, (max(count, 1), _SPARK), *drawn)


def split(parts: Sequence[tuple[str, str, int]], *, tall: bool = False, most: int = 0) -> Markup:
    """Shares of a whole.

    Args:
        parts: kind, name and count of each, in the order they are drawn; those of 0 are left out.
        tall: for a place of its own rather than a table.
        most: the whole of which all of the width stands for; else that of these parts.
    """
    shown = [part for part in parts if part[2] > 0]
    total = max(sum(count for _, _, count in shown), most)
    label = ", ".join(f"{name} {count:,}" for _, name, count in shown) or "nothing"
    left = 0
    drawn = []
    for kind, name, count in shown:
        width = max(100 * count / total - _BETWEEN, _LEAST)
        drawn.append(
            filled(
                '<rect class="f-{}" x="{}" width="{}" height="100%"><title>{} {}</title></rect>',
                kind,
                percent(left, total),
                percent(width, 100),
                name,
                f"{count:,}",
            )
        )
        left += count
    return small("split tall" if tall else "split", label, None, *drawn)


def bar(kind: str, value: int, part: int, most: int, label: str) -> Markup:
    """One bar of a list.

    Args:
        kind: class of its colour.
        value: its length, as `most` is the whole width.
        part: the part of it in full colour.
        most: the longest bar of the list.
        label: what it shows, in words.
    """
    whole = max(most, value, 1)
    return small(
        "hb",
        label,
        None,
        element("rect", class_=f"f-{kind} f-soft", width=percent(value, whole), height=8),
        element("rect", class_=f"f-{kind}", width=percent(min(part, value), whole), height=8),
    )
