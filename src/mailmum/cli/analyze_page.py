"""The report as one page to send to a colleague.

It stands alone: style, icons and charts are in it, nothing is fetched and no script runs, and a
policy in its head has the browser enforce that, whatever a log may have smuggled in.
"""

from datetime import UTC, datetime

from mailmum import __version__
from mailmum.charts.markup import Markup, element, join
from mailmum.cli import analyze_page_parts as parts
from mailmum.cli import analyze_words as words
from mailmum.cli.analyze_page_style import icon, sprite, style
from mailmum.cli.analyze_read import Input
from mailmum.traffic.report import Report

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_ICONS = ("accepted", "allowed", "own", "rbl", "reject", "deferred", "auth", "none", "info")


def page(report: Report, told: Input, top: int, *, samples: bool = False) -> str:
    """The whole document, its lists at most `top` long."""
    title = f"Mail traffic, {words.some(_names(told))}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        style(),
    )
    main = element("main", *_body(report, told, top), *(_samples(told) if samples else ()))
    body = element("body", sprite(_ICONS), main)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}"


def _names(told: Input) -> list[str]:
    return ["standard input" if name == "-" else name for name in told.files]


def _body(report: Report, told: Input, top: int) -> list[Markup]:
    found = [_head(report, told), _notes(report, told)]
    if not report.sightings:
        return [*found, element("p", "No contact of a client was found.", class_="empty")]
    found += [
        parts.figures(report),
        parts.over_time(report, told.zone),
        *_advice(report, told, top),
    ]
    halves = [parts.outcomes(report)]
    if report.overlap.lists:
        halves.insert(0, parts.lists(report, top))
    found.append(element("div", *halves, class_="cols half"))
    found.append(parts.worst_clients(report))
    groups = [
        parts.worst_groups(title, named, rows, count)
        for title, named, rows, count in (
            ("Worst networks", "Network", report.networks, report.known[1]),
            ("Worst domains of client names", "Domain", report.domains, report.known[2]),
        )
        if any(row.stopped for row in rows)
    ]
    return [*found, element("div", *groups, class_="cols half"), _reading()]


def _head(report: Report, told: Input) -> Markup:
    counts = [words.counted(told.lines, "line")]
    if told.foreign:
        counts.append(f"{told.foreign:,} of other programs")
    if told.unrecognised:
        counts.append(f"{told.unrecognised:,} not understood")
    about = "about " if report.forgotten else ""
    counts.append(f"{about}{words.counted(report.known[0], 'client')}")
    if len(report.hosts) > 1:
        named = words.some(f"{host or 'unnamed'} {count:,}" for host, count in report.hosts.items())
        counts.append(f"servers {named}")
    made = datetime.now(UTC)
    return element(
        "header",
        element(
            "div",
            element("h1", "Mail traffic"),
            element("p", words.period(report, told.zone), class_="sub"),
            element(
                "p",
                element("bdi", words.some(_names(told), 6)),
                ": ",
                ", ".join(counts),
                class_="meta",
            ),
        ),
        element(
            "p",
            "MailMum ",
            __version__,
            element("br"),
            f"{made.day} {made:%b %Y}",
            class_="meta made",
        ),
        class_="head",
    )


def _notes(report: Report, told: Input) -> Markup:
    return join(
        element("div", icon("info"), element("p", element("bdi", remark)), class_="note")
        for remark in words.remarks(report, told)
    )


def _advice(report: Report, told: Input, top: int) -> list[Markup]:
    advice, zone = report.advice, told.zone
    shown = max(top // 2, 1)
    columns = []
    if advice.block:
        meta = "never had mail accepted; ordered by what no list stops yet"
        columns.append(parts.proposals("To block", meta, advice.block, zone, shown))
    if advice.allow:
        meta = "an RBL stopped them, yet they also delivered accepted mail"
        columns.append(parts.proposals("To allow", meta, advice.allow, zone, shown))
    if not columns:
        return []
    return [element("div", *columns, class_="cols" if len(columns) > 1 else "one")]


def _samples(told: Input) -> list[Markup]:
    shown = parts.lines("\n".join(told.samples)) if told.samples else ["none"]
    body = element("div", element("pre", *shown), class_="copy")
    return [parts.section("Lines that were not understood", "", body)]


def _reading() -> Markup:
    return parts.section(
        "How to read this",
        "",
        element(
            "div",
            element(
                "p",
                "A contact is one recipient that was accepted or refused, or else one session. "
                "Stopped means refused for good or for now. Networks are /24 and /64; a domain is "
                "what a client's verified name most likely was registered under.",
            ),
            element(
                "p",
                "A block is proposed where contacts were refused again and again, not counting "
                "those only deferred, and nothing was ever accepted; in the place of addresses "
                "their network, when several of it offended and nobody of it delivered. Check "
                "before you list: the log knows only who came in its time.",
            ),
            class_="says meta about",
        ),
    )
