"""The parts of the page of `analyze`: figures, chart, tables, proposals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from mailmum.charts.markup import Markup, element, join
from mailmum.charts.moments import Buckets, cut
from mailmum.charts.series import Gap, Plot, Series
from mailmum.charts.small import bar, split
from mailmum.charts.timeline import apart, stacked
from mailmum.cli import analyze_words as words
from mailmum.cli.analyze_page_style import icon
from mailmum.domain.listings import Action
from mailmum.traffic.kinds import KINDS, Kind
from mailmum.traffic.report import Report
from mailmum.traffic.report_advice import Candidate
from mailmum.traffic.report_figures import Figures
from mailmum.traffic.report_times import gaps

_NARROW = 3
# How much of a bucket may be missing before it is drawn as not complete.
_PARTIAL = 0.1
_NOTHING = "nothing in the log"


def section(title: str, meta: str, *body: str, count: int | None = None) -> Markup:
    """A part of the page under its heading."""
    more = [element("span", meta, class_="meta")] if meta else []
    total = [element("span", f"{count:,} in all", class_="meta nw")] if count is not None else []
    return element(
        "section", element("div", element("h2", title), *more, *total, class_="sec"), *body
    )


def figures(report: Report) -> Markup:
    """Totals, which are the legend of the chart as well."""
    shown = [kind for kind in KINDS if report.kinds[kind] or kind is Kind.ACCEPTED]
    return element(
        "dl",
        _figure(None, "All contacts", report.sightings, f"{report.stopped:,} stopped"),
        *(
            _figure(
                kind,
                kind.label,
                report.kinds[kind],
                words.share(report.kinds[kind], report.sightings),
            )
            for kind in shown
        ),
        class_="figs",
    )


def _figure(kind: Kind | None, name: str, count: int, below: str) -> Markup:
    mark = [icon(kind.value)] if kind is not None else []
    return element(
        "div",
        element("dt", *mark, name),
        element("dd", element("span", f"{count:,}", class_="big"), element("small", below)),
        class_=f"fig o-{kind.value}" if kind is not None else "fig",
    )


@dataclass(frozen=True, slots=True)
class _Curve:
    """Contacts over time, once with all buckets and once with fewer for a narrow screen."""

    report: Report
    buckets: Buckets
    series: list[Series]
    gaps: list[Gap]

    def plot(self, ident: str) -> Plot:
        whole = [sum(row) for row in zip(*(one.values for one in self.series), strict=True)]
        most = max(range(len(whole)), key=whole.__getitem__)
        about = (
            f"{words.period(self.report, self.buckets.zone)}. Most {self.buckets.step.per}: "
            f"{whole[most]:,}, {self.buckets.names()[most]}."
        )
        return Plot(
            ident,
            "Contacts over time by outcome",
            about,
            gaps=self.gaps,
            partial=frozenset(self._partial()),
        )

    def _partial(self) -> Iterator[int]:
        """The first and the last bucket, where the log does not have all of them."""
        assert self.report.first is not None
        assert self.report.last is not None
        edges = self.buckets.edges
        if self.report.first - edges[0] > _PARTIAL * (edges[1] - edges[0]):
            yield 0
        if edges[-1] - self.report.last > _PARTIAL * (edges[-1] - edges[-2]):
            yield len(edges) - 2


def _curve(report: Report, zone: tzinfo, most: int) -> _Curve:
    assert report.first is not None
    assert report.last is not None
    buckets = cut(report.first, report.last, zone, most)
    counts = report.times.counts(buckets.edges)
    series = [Series(kind.value, kind.label, counts[kind]) for kind in KINDS if report.kinds[kind]]
    whole = [sum(row) for row in zip(*(one.values for one in series), strict=True)]
    empty = [Gap(first, after, _NOTHING) for first, after in gaps(whole)]
    return _Curve(report, buckets, series, empty)


def over_time(report: Report, zone: tzinfo) -> Markup:
    """The chart, stacked or apart as the reader chooses, and as a table."""
    wide = _curve(report, zone, 170)
    narrow = _curve(report, zone, 170 // _NARROW)
    return element(
        "div",
        element(
            "div",
            element("div", stacked(wide.plot("wide"), wide.buckets, wide.series), class_="as-wide"),
            element(
                "div",
                stacked(narrow.plot("narrow"), narrow.buckets, narrow.series),
                class_="as-narrow",
            ),
            class_="figwrap as-stack",
        ),
        element(
            "div",
            element("div", apart(wide.plot("apart"), wide.buckets, wide.series), class_="as-wide"),
            element(
                "div",
                apart(narrow.plot("apart-narrow"), narrow.buckets, narrow.series),
                class_="as-narrow",
            ),
            class_="figwrap as-apart",
        ),
        _choice(),
        _as_table(wide),
        class_="view",
    )


def _choice() -> Markup:
    return element(
        "div",
        *(
            element(
                "label",
                element("input", type="radio", name="view", value=value, checked=value == "stack"),
                name,
            )
            for value, name in (("stack", "Stacked"), ("apart", "Apart"))
        ),
        class_="seg sm",
        role="radiogroup",
        aria_label="How outcomes are drawn",
    )


def _as_table(curve: _Curve) -> Markup:
    heads = ["Begins", *(one.name for one in curve.series)]
    rows = [
        [name, *(number(one.values[at]) for one in curve.series)]
        for at, name in enumerate(curve.buckets.names())
        if any(one.values[at] for one in curve.series)
    ]
    body = table(heads, ["nw", *("num" for _ in curve.series)], rows)
    return element("details", element("summary", "As a table"), body, class_="more")


def table(
    heads: Sequence[str], classes: Sequence[str], rows: Iterable[Sequence[str]], more: str = ""
) -> Markup:
    """A table; `classes` are those of its columns."""
    head = element(
        "tr",
        *(
            element("th", name, class_=kind or None, scope="col")
            for name, kind in zip(heads, classes, strict=True)
        ),
    )
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_=kind or None)
                for cell, kind in zip(row, classes, strict=True)
            ),
        )
        for row in rows
    ]
    made = element(
        "table", element("thead", head), element("tbody", *body), class_=f"t {more}".strip()
    )
    return element("div", made, class_="scroll", tabindex=0, role="group", aria_label="Table")


def number(count: int) -> Markup | str:
    """A count; none is grey."""
    return f"{count:,}" if count else element("span", "0", class_="zero")


def lists(report: Report, top: int) -> Markup:
    """Hits by list, and what the overlap comes to."""
    used = report.overlap.lists
    most = max((one.hits for one in used), default=0)
    rows = [
        [
            _list_name(one.zone, own=one.own),
            bar(
                "own" if one.own else "rbl",
                one.hits,
                one.alone_hits,
                most,
                f"{one.zone}: {one.hits:,} hits, {one.alone_hits:,} on clients that no other "
                "list named",
            ),
            number(one.hits),
            number(one.clients),
            number(one.alone),
            number(one.good),
        ]
        for one in used[:top]
    ]
    heads = ("List", "", "Hits", "Clients", "Alone", "Also delivered")
    classes = ("two w40", "hb-c wide", "num", "num wide", "num", "num")
    says = element(
        "div", *(element("p", text) for text in words.listed(report)), class_="says meta"
    )
    return section(
        "Hits by list",
        "full colour: on clients that only this list named",
        table(heads, classes, rows),
        _both(report),
        says,
    )


def _list_name(zone: str, *, own: bool) -> Markup:
    kind = Kind.OWN if own else Kind.RBL
    return element(
        "span",
        icon(kind.value),
        element("span", zone, class_="cut", title=zone),
        class_=f"o fl o-{kind.value}",
    )


def _both(report: Report) -> Markup | str:
    if not report.overlap.both:
        return ""
    rows = [
        [element("bdi", one), element("bdi", two), number(clients)]
        for one, two, clients in sorted(report.overlap.both, key=lambda pair: -pair[2])
    ]
    body = table(("List", "and", "Clients on both"), ("txt", "txt", "num"), rows)
    return element("details", element("summary", "Pairs of lists"), body, class_="more")


def outcomes(report: Report) -> Markup:
    """Every outcome with its count."""
    most = max(report.totals.values(), default=0)
    rows = [
        [
            words.OUTCOMES[outcome].capitalize(),
            bar(
                _colour(outcome.value, stopped=outcome.stopped),
                count,
                count,
                most,
                f"{words.OUTCOMES[outcome]} {count:,}",
            ),
            number(count),
            words.share(count, report.sightings),
        ]
        for outcome, count in sorted(report.totals.items(), key=lambda item: -item[1])
        if count
    ]
    known = {what: count for what, count in report.deliveries.items() if count}
    meta = ", ".join(f"{count:,} {what.value}" for what, count in known.items())
    classes = ("", "hb-c wide", "num", "num")
    return section(
        "Outcomes",
        f"of the accepted: {meta}" if meta else "",
        table(("Outcome", "", "Contacts", "Share"), classes, rows),
    )


def _colour(outcome: str, *, stopped: bool) -> str:
    same = {"accepted": "accepted", "deferred": "deferred", "auth-failed": "auth"}
    return same.get(outcome, "reject" if stopped else "none")


def worst_clients(report: Report) -> Markup:
    """The clients of which most contacts were stopped."""
    most = _most(report.clients)
    rows = [
        [
            join([_address(one.target), element("small", words.why(one), class_="below cut")]),
            _name(one),
            _split(one, most),
            number(one.stopped),
            number(one.accepted),
            element("span", words.why(one), class_="cut", title=words.why(one)),
        ]
        for one in report.clients
        if one.stopped
    ]
    heads = ("Client", "Name", "Outcomes", "Stopped", "Accepted", "Why")
    classes = ("net", "who-c xwide", "split-c wide", "num", "num", "who-c xwide")
    return section(
        "Worst clients", "by contacts stopped", table(heads, classes, rows), count=report.known[0]
    )


def worst_groups(title: str, named: str, found: Sequence[Figures], count: int) -> Markup:
    """Networks or domains likewise."""
    most = _most(found)
    rows = [
        [
            _address(one.target),
            _split(one, most),
            number(one.stopped),
            number(one.accepted),
            number(one.clients),
        ]
        for one in found
        if one.stopped
    ]
    heads = (named, "Outcomes", "Stopped", "Accepted", "Clients")
    classes = ("name-c", "split-c wide", "num", "num", "num")
    return section(title, "of several clients", table(heads, classes, rows), count=count)


def _address(target: str) -> Markup:
    return element("bdi", target, class_="mono cut", title=target)


def _name(one: Figures) -> Markup:
    return element("bdi", words.who(one), class_="cut sub", title=words.who(one))


def _split(one: Figures, most: int) -> Markup:
    parts = [(kind.value, kind.label, count) for kind, count in one.kinds().items()]
    return split(parts, most=most)


def _most(found: Sequence[Figures]) -> int:
    return max((one.contacts for one in found if one.stopped), default=0)


def proposals(title: str, meta: str, found: Sequence[Candidate], zone: tzinfo, top: int) -> Markup:
    """What to block or to allow, each with its evidence and its command."""
    shown = found[:top]
    items = [_proposal(one, zone) for one in shown]
    commands = "\n".join(one.command(zone) for one in shown)
    everything = element(
        "details",
        element("summary", f"These {len(shown)} as commands"),
        element("div", element("pre", Markup(join(lines(commands)))), class_="copy"),
        class_="more all",
    )
    return section(
        title,
        meta,
        element("ul", *items, class_="advice"),
        everything if len(shown) > 1 else "",
        count=len(found) if len(found) > len(shown) else None,
    )


def lines(text: str) -> list[Markup]:
    """Text of several lines, each made visible for itself."""
    return [join([line, Markup("\n")]) for line in text.splitlines()]


def _proposal(one: Candidate, zone: tzinfo) -> Markup:
    kind = "allowed" if one.action is Action.ALLOW else "own"
    first, *more = (f"{told[:1].upper()}{told[1:]}" for told in words.evidence(one, zone))
    summary = element(
        "summary",
        icon(kind),
        element("b", element("bdi", one.target), class_="mono"),
        element("bdi", first, class_="sub"),
    )
    told = element("p", element("bdi", ". ".join(more)), class_="meta")
    command = element("div", element("pre", one.command(zone)), class_="copy")
    return element("li", element("details", summary, told, command), class_=f"o-{kind}")
