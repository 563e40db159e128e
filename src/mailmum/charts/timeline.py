"""Charts over time: stacked bars, or each series on a row and a scale of its own.

Rows apart read without colour, and show what is small beside what is large.
"""

from collections.abc import Iterator, Sequence

from mailmum.charts.axes import axis, lines
from mailmum.charts.bars import bars, percent, stretched
from mailmum.charts.markup import Markup, element, filled, join, number
from mailmum.charts.moments import Buckets
from mailmum.charts.series import Gap, Plot, Series, sums

_TOP, _FOOT = 20, 22
_ROW, _ROW_HEAD = 34, 15
# The label of a grid line is left out where bars of the first 1/25 of the width would lie below; of
# a chart with few buckets, which may be a phone's, the first 1/12.
_LABEL, _FEW, _LABEL_OF_FEW = 25, 60, 12
# Parts of the width that a letter takes, and the room around words, in the narrowest chart that has
# any (`.minor` in the style sheet: 640 pixels).
_LETTER, _AROUND = 0.009, 0.016


def stacked(plot: Plot, buckets: Buckets, series: Sequence[Series]) -> Markup:
    """Bars over time, the series on one another from the base up."""
    count, high = len(buckets), plot.height - _TOP - _FOOT
    whole = sums(series, count)
    most = max(whole, default=0)
    scale = high / axis(most)[1]
    base = [float(high)] * count
    paths = [
        element("path", class_=f"ser f-{one.kind}", d=bars(one.values, base, scale))
        for one in series
    ]
    paths += [
        element("rect", class_="part", x=at, width=1, height=high) for at in sorted(plot.partial)
    ]
    return _frame(
        plot,
        buckets,
        series,
        (_TOP, high, plot.height),
        *_grid(most, scale, high),
        *_ticks(buckets, _TOP + high, plot.height),
        stretched(count, _TOP, high, *paths),
        *_gaps(plot, count, _TOP, high),
        _line("base", _TOP + high),
        *_scale(plot, buckets, whole, scale, high),
    )


def apart(plot: Plot, buckets: Buckets, series: Sequence[Series]) -> Markup:
    """Each series on its own row and scale; the height follows from their number."""
    count, top = len(buckets), 14
    height = top + _ROW * len(series) + _FOOT
    rows: list[Markup] = []
    for place, one in enumerate(series):
        y, high = top + place * _ROW, _ROW - _ROW_HEAD
        scale = high / (max(one.values, default=0) or 1)
        path = bars(one.values, [float(high)] * count, scale)
        rows += [
            _line("base", y + _ROW),
            stretched(
                count, y + _ROW_HEAD, high, element("path", class_=f"ser f-{one.kind}", d=path)
            ),
            _text(
                join([element("tspan", one.name, class_="strong"), f" {sum(one.values):,}"]), y + 12
            ),
        ]
    ticks = _ticks(buckets, height - _FOOT, height)
    size = (top, _ROW * len(series), height)
    gaps = _gaps(plot, count, top, size[1], named=False)
    return _frame(plot, buckets, series, size, *ticks, *rows, *gaps)


def _frame(
    plot: Plot,
    buckets: Buckets,
    series: Sequence[Series],
    size: tuple[int, int, int],
    *drawn: Markup,
) -> Markup:
    top, high, height = size
    title, about = f"{plot.ident}-title", f"{plot.ident}-about"
    return element(
        "svg",
        element("title", plot.title, id=title),
        element("desc", plot.about, id=about),
        _hatch(plot.ident) if plot.gaps else "",
        *drawn,
        _hits(plot, buckets, series, top, high),
        *_marks(plot, len(buckets), top + high),
        class_="chart",
        height=height,
        # What is an image as a whole hides the links in it.
        role="group" if plot.links or any(mark.link for mark in plot.marks) else "img",
        aria_labelledby=title,
        aria_describedby=about,
        data_n=len(buckets),
        data_top=top,
        data_h=high,
        data_names="|".join(f"{one.name}:{one.kind}" for one in series),
    )


def _grid(most: int, scale: float, high: int) -> Iterator[Markup]:
    for value in lines(most):
        yield _line("grid", _TOP + high - value * scale)


def _scale(
    plot: Plot, buckets: Buckets, whole: list[int], scale: float, high: int
) -> Iterator[Markup]:
    """The numbers of the grid lines; they lie in the plot, so that no margin has to be kept."""
    values = lines(max(whole, default=0))
    part = _LABEL if len(whole) > _FEW else _LABEL_OF_FEW
    below = max(whole[: max(1, len(whole) // part)], default=0)
    for value in values:
        y = _TOP + high - value * scale
        if below * scale > value * scale - 14 and value != values[-1]:
            continue
        unit = f" {buckets.step.per}" if value == values[-1] else ""
        yield _text(f"{value:,}{unit}", y - 4)


def _ticks(buckets: Buckets, base: float, height: int) -> Iterator[Markup]:
    count = len(buckets)
    # A chart of few buckets is that of a phone, where a label takes an eighth of the width.
    room, ticks = 0.95 if count > _FEW else 0.88, list(buckets.ticks())
    for tick in ticks:
        x = percent(tick.bucket, count)
        if tick.bucket:
            yield element("line", class_="day", x1=x, x2=x, y1=14, y2=base)
        last = tick.bucket / count > room and tick is ticks[-1]
        yield element(
            "text",
            tick.text,
            class_="minor" if tick.minor else None,
            x="100%" if last else x,
            dx=4 if tick.bucket and not last else None,
            y=height - 5,
            text_anchor="end" if last else None,
        )


def _gaps(plot: Plot, count: int, top: int, high: int, *, named: bool = True) -> Iterator[Markup]:
    for gap in plot.gaps:
        yield element(
            "rect",
            element("title", gap.text),
            fill=f"url(#{plot.ident}-hatch)",
            x=percent(gap.first, count),
            width=percent(gap.after - gap.first, count),
            y=top,
            height=high,
        )
    if named:
        yield from _gap_texts(plot.gaps, count)


def _gap_texts(gaps: Sequence[Gap], count: int) -> Iterator[Markup]:
    """What gaps are, the longest first: none lies on another, or on a gap that it is not about.

    Those that find no room say it when they are pointed at.
    """
    taken: list[tuple[float, float]] = []
    for gap in sorted(gaps, key=lambda one: one.first - one.after):
        others = [(one.first / count, one.after / count) for one in gaps if one is not gap]
        for at, from_right in _places(gap, count):
            length = len(gap.text) * _LETTER + _AROUND
            left = at / count - (length if from_right else 0)
            meets = [one for one in (*taken, *others) if one[0] < left + length and left < one[1]]
            if not meets and left >= 0 and left + length <= 1:
                taken.append((left, left + length))
                yield _gap_text(gap, percent(at, count), from_right=from_right)
                break


def _places(gap: Gap, count: int) -> list[tuple[int, bool]]:
    """Where its words may stand, the best first: behind it, before it, or within it."""
    behind, before = (gap.after, False), (gap.first, True)
    within = [(gap.first, False), (gap.after, True)]
    if gap.after / count < 0.7:
        return [behind, before, *within]
    return [before, *within, behind] if gap.first / count > 0.3 else [*within, before, behind]


def _gap_text(gap: Gap, x: str, *, from_right: bool) -> Markup:
    return element(
        "text",
        gap.text,
        class_="minor",
        x=x,
        dx=-5 if from_right else 5,
        y=_TOP + 34,
        text_anchor="end" if from_right else None,
    )


def _hatch(ident: str) -> Markup:
    return element(
        "defs",
        element(
            "pattern",
            element("line", class_="hatch", y2=6),
            id=f"{ident}-hatch",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )


def _hits(plot: Plot, buckets: Buckets, series: Sequence[Series], top: int, high: int) -> Markup:
    """A field a bucket that says what is in it, and leads to its rows where there is a link."""
    count = len(buckets)
    gone = {at: gap.text for gap in plot.gaps for at in range(gap.first, gap.after)}
    fields = []
    for at, name in enumerate(buckets.names()):
        values = [one.values[at] for one in series]
        text = f"{name}: {gone.get(at) or _told(series, values, plot.unit)}"
        field = filled('<title>{}</title><rect x="{}" width="1" height="1"/>', text, at)
        known = " ".join(map(str, values))
        if plot.links:
            link = '<a href="{}" tabindex="-1" data-v="{}">{}</a>'
            fields.append(filled(link, plot.links[at], known, field))
        else:
            fields.append(filled('<g data-v="{}">{}</g>', known, field))
    return element(
        "svg",
        *fields,
        class_="hits",
        y=top,
        width="100%",
        height=high,
        viewBox=f"0 0 {count} 1",
        preserveAspectRatio="none",
    )


def _told(series: Sequence[Series], values: Sequence[int], unit: str) -> str:
    parts = [f"{one.name} {value:,}" for one, value in zip(series, values, strict=True) if value]
    whole = f"{sum(values):,} {unit}"
    return f"{whole}: {', '.join(parts)}" if parts else whole


def _marks(plot: Plot, count: int, base: float) -> Iterator[Markup]:
    for mark in plot.marks:
        x = percent(mark.bucket, count)
        left = mark.bucket / count > 0.6
        drawn = (
            element("title", mark.text),
            element("line", x1=x, x2=x, y1=10, y2=base),
            element("svg", element("path", d="M-5 2h10l-5 8z"), x=x, overflow="visible"),
            element(
                "text",
                mark.text,
                class_="minor",
                x=x,
                dx=-9 if left else 9,
                y=10,
                text_anchor="end" if left else None,
            ),
        )
        if mark.link:
            yield element("a", *drawn, class_="mark", href=mark.link)
        else:
            yield element("g", *drawn, class_="mark")


def _line(name: str, y: float) -> Markup:
    return element("line", class_=name, x2="100%", y1=number(y), y2=number(y))


def _text(text: str, y: float) -> Markup:
    return element("text", text, x=0, y=number(y))
