"""The report for a terminal: the plot, words, tables that fit, colours and the progress bar."""

from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.charts.moments import cut
from mailmum.cli import analyze_words as words
from mailmum.cli.analyze_plot import ASCII, BLOCKS, Ink, columns, plot
from mailmum.cli.analyze_text import ink_for
from mailmum.domain.listings import Action
from mailmum.traffic.report_advice import Candidate
from mailmum.traffic.report_figures import Figures
from mailmum.traffic.sightings import Outcome
from tests.cli.service import Service
from tests.cli.terminal import on_a_terminal, without_style
from tests.support.maillog import week

ROWS = st.lists(st.tuples(*[st.integers(0, 3000)] * 3), min_size=1, max_size=70)


@given(ROWS, st.sampled_from([BLOCKS, ASCII]))
def test_columns(rows: list[tuple[int, int, int]], ink: Ink) -> None:
    """Accepted below, stopped above it; what is there is seen; the highest is the highest."""
    low, middle, high = (list(one) for one in zip(*rows, strict=True))
    drawn = columns(low, middle, high, 8, ink)
    assert [len(line) for line in drawn] == [len(rows)] * 8
    heights = []
    for at, counts in enumerate(rows):
        cells = "".join(line[at] for line in drawn).strip()
        assert bool(cells) == any(counts)
        order = [ink.other, ink.stopped, ink.accepted]
        places = [order.index(cell) for cell in cells]
        assert places == sorted(places)
        heights.append(len(cells))
    most = max(range(len(rows)), key=lambda at: sum(rows[at]))
    assert heights[most] == max(heights)


@given(st.integers(1, 60), st.integers(60, 120))
def test_the_plot_fits(count: int, width: int) -> None:
    """Its lines are no longer than there is room, and the axis has labels."""
    buckets = cut(0, count * 3600 - 1, UTC, most=1000)
    values = [5] * len(buckets)
    drawn = plot(buckets, (values, values, values), ASCII, width, [(0, 1)])
    assert all(len(line) <= max(width + 1, len(buckets) + 9) for line in drawn)
    assert "Thu 1" in drawn[-1]
    assert all(line[9:][:1] == "/" for line in drawn[:8])


@pytest.mark.parametrize(
    ("encoding", "ink"), [("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII)]
)
def test_characters_that_a_stream_can_show(encoding: str | None, ink: Ink) -> None:
    """Blocks where they can be shown."""
    assert ink_for(encoding) is ink


def figures(**more: object) -> Figures:
    """What is known of a client."""
    fields: dict[str, object] = {
        "target": "203.0.113.7",
        "outcomes": {Outcome.REJECTED: 12, Outcome.DEFERRED: 1},
        "clients": 1,
        "offenders": 1,
        "first": 1_795_132_800.0,
        "last": 1_795_140_000.0,
    }
    return Figures(**(fields | more))  # type: ignore[arg-type]


def test_evidence() -> None:
    """In sentences that say what is known and no more."""
    block = Candidate(Action.BLOCK, figures(helo="x.example", caught=5, lists=("zen.example",)))
    assert words.evidence(block, UTC) == [
        (
            "12 refused, none accepted: rejected 12, deferred 1 (zen.example); "
            "a list stops 5 of it already"
        ),
        'HELO "x.example", no verified name',
        "seen 20 Nov 00:00 to 20 Nov 02:00",
    ]
    many = Candidate(Action.BLOCK, figures(clients=5, offenders=3, outcomes={Outcome.REJECTED: 12}))
    assert (
        words.evidence(many, UTC)[0] == "12 refused from 3 of 5 addresses, none accepted: rejected"
    )
    allow = figures(
        outcomes={Outcome.ACCEPTED: 7, Outcome.REJECTED: 2},
        caught=2,
        lists=("zen.example",),
        name="mail.partner.example",
        senders=("partner.example",),
        accepted_last=1_795_132_800.0,
        score=1.25,
    )
    assert words.evidence(Candidate(Action.ALLOW, allow, early=True), UTC) == [
        "7 accepted, 2 stopped by zen.example",
        "name mail.partner.example",
        "last accepted 20 Nov 00:00, before any list stopped it",
        "from partner.example",
        "mean spam score 1.2",
        "seen 20 Nov 00:00 to 20 Nov 02:00",
    ]


def test_on_a_terminal(service: Service, tmp_path: Path) -> None:
    """Colours, as wide as the window, and a bar that is gone when it is done."""
    log = tmp_path / "mail.log"
    log.write_text(week(seed=3).text)
    shown = on_a_terminal(service, "analyze", str(log), "--zone", "UTC", width=110)
    assert "\x1b[34m" in shown
    assert "reading" in shown
    plain = without_style(shown)
    report = plain[plain.rindex("Outcomes") :].replace("\r", "").splitlines()
    assert max(len(line) for line in report if not line.startswith("    mailmum ")) <= 110
    assert service.asked == []
