"""The page of `analyze`: it stands alone, says what the report says, and shows strangers' text."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from mailmum.cli.analyze_page import page
from mailmum.cli.analyze_page_style import layers, style
from mailmum.cli.analyze_read import Input
from mailmum.cli.analyze_window import Window
from mailmum.cli.zones import find_zone
from mailmum.domain.visible import visible
from mailmum.traffic.report import Limits, Tally
from mailmum.traffic.sightings import Outcome, Sighting
from tests.support.browser import (
    LOOKS,
    Look,
    chromium,
    grave_violations,
    scrolls_sideways,
    watching,
)
from tests.support.maillog import EVIL, week
from tests.traffic.naive import contacts

BERLIN = find_zone("Europe/Berlin")
assert BERLIN is not None
SHEET = Path(__file__).parents[2] / "src/mailmum/web/static/mailmum/style.css"


class Outline(HTMLParser):
    """Tags, attributes, ids and text of a page, as a browser would read them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, known, value in self.attributes if known == name]


def outline(text: str) -> Outline:
    """A page read."""
    found = Outline()
    found.feed(text)
    found.close()
    return found


def made(
    sightings: list[Sighting], *, samples: tuple[str, ...] = (), name: str = "mail.log"
) -> str:
    """The page about some contacts."""
    assert BERLIN is not None
    tally = Tally(Limits(least=2, own=("mailmum.internal",)))
    tally.take(sightings)
    told = Input([name], BERLIN, Window(), lines=len(sightings), samples=samples)
    return page(tally.report(25), told, 25, samples=True)


def villains() -> list[Sighting]:
    """Contacts with everything that a stranger can write, in every field."""
    return [
        Sighting(
            1_795_132_800.0 + at * 100,
            f"mx{text}",
            "smtpd",
            f"203.0.113.{at}",
            f"{text}.example",
            text,
            text,
            text,
            outcome,
            550,
            f"{text}.dnsbl.example" if outcome is Outcome.REJECTED else None,
        )
        for at, text in enumerate(EVIL * 2)
        for outcome in (Outcome.REJECTED, Outcome.REJECTED, Outcome.ACCEPTED)
    ]


def test_it_stands_alone() -> None:
    """No script, no handler, nothing that is fetched; ids are unique and those used are there."""
    text = made(villains())
    found = outline(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "image"} & set(found.tags)
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert not found.values("src")
    assert all(value.startswith("#") for value in found.values("href"))
    assert not found.values("style")
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
        f"#{one}-hatch" for one in ("wide", "narrow")
    }
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    used = [value[1:] for value in found.values("href")]
    used += [*found.values("aria-labelledby"), *found.values("aria-describedby")]
    assert set(used) <= set(ids)
    assert "default-src 'none'" in next(v for v in found.values("content") if "src" in v)


def test_strangers_text_is_shown_and_does_nothing() -> None:
    """Neither as markup nor as a control character."""
    text = made(villains(), samples=EVIL, name=EVIL[0])
    found = outline(text)
    assert all(line.isprintable() for line in text.splitlines())
    for evil in EVIL:
        assert visible(evil) in found.text
    plain = outline(made([one._replace(host="mx") for one in villains()]))
    assert set(found.tags) == set(plain.tags)


@settings(max_examples=30, deadline=None)
@given(st.lists(contacts(), max_size=40), st.text(max_size=20))
def test_any_report(sightings: list[Sighting], name: str) -> None:
    """Every element is closed, and what is counted is said."""
    text = made(sightings, name=name, samples=(name,))
    opened: list[str] = []

    class Nesting(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "br", "input"}:
                opened.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Nesting().feed(text)
    assert opened == []
    assert len(sightings) == 0 or f">{len(sightings):,}</span>" in text


def test_the_stylesheet_is_the_pages() -> None:
    """Taken by its layers; each brace that opens closes, and no file is named."""
    sheet = SHEET.read_text()
    names = [name for name, _ in layers(sheet)]
    assert {"tokens", "base", "layout", "components", "charts", "prefs", "pages"} == set(names)
    for _, body in layers(sheet):
        assert body.count("{") == body.count("}")
    rules = str(style())
    assert rules.count("{") == rules.count("}")
    assert "--accepted:" in rules
    assert "chevron.svg" not in rules


def test_every_kind_has_a_colour_in_the_stylesheet() -> None:
    """What charts are drawn with: fill, token and mark."""
    from mailmum.traffic.kinds import Kind

    sheet = SHEET.read_text()
    for kind in Kind:
        assert f".f-{kind.value} " in sheet
        assert re.search(rf"--{kind.value}: +light-dark\(", sheet)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page about the week, with villains in it."""
    from mailmum.postfix.log.reader import LogReader, Settings

    assert BERLIN is not None
    reader = LogReader(Settings(now=1_795_300_000.0, zone=BERLIN, hold=None))
    found = [*reader.feed(week().text.encode()).sightings, *reader.finish().sightings]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(made([*found, *villains()], samples=EVIL))
    return path.as_uri()


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_in_a_browser(browser: Browser, report: str, look: Look) -> None:
    """No request, no error, no dialog; axe finds nothing grave; it never scrolls sideways."""
    with watching(browser, report.rpartition("/")[0], look) as shown:
        shown.goto(report)
        assert not scrolls_sideways(shown)
        charts = shown.locator(".as-stack svg.chart:visible")
        assert charts.count() == 1
        box = charts.bounding_box()
        assert box is not None
        assert box["width"] <= look.width
        shown.get_by_text("Apart", exact=True).click()
        assert shown.locator(".as-apart svg.chart:visible").count() == 1
        assert shown.locator(".as-stack svg.chart:visible").count() == 0
        shown.get_by_text("As a table").click()
        shown.locator(".advice summary").first.click()
        command = shown.locator(".advice pre:visible")
        assert command.inner_text().startswith("mailmum block ")
        assert grave_violations(shown) == []
        assert not scrolls_sideways(shown)
        assert shown.locator("script, img, iframe, [onload], [onerror]").count() == 0
        assert shown.title() == "Mail traffic, mail.log"


def test_on_paper(browser: Browser, report: str) -> None:
    """Light whatever the screen was, without what only a screen can do."""
    with watching(browser, report.rpartition("/")[0], LOOKS[1]) as shown:
        shown.goto(report)
        dark = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        shown.emulate_media(media="print")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        assert not shown.locator(".seg").is_visible()
        assert shown.locator("h2", has_text="Worst clients").is_visible()
        assert len(shown.pdf()) > 10_000
