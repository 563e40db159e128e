"""Looks of the page of `analyze`: the pages' own stylesheet and icons, set into the page itself.

The page must stand alone, so of the stylesheet those layers are taken that it needs, without the
rules that name a file beside it.
"""

import re
from importlib.resources import files
from pathlib import PurePosixPath

from mailmum.charts.markup import Markup, element, join

_STATIC = PurePosixPath("web/static/mailmum")
_LAYERS = ("tokens", "base", "layout", "components", "charts", "prefs")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LAYER = re.compile(r"@layer (\w+) \{")
_WITH_FILE = re.compile(r'[^{}]*\{[^{}]*url\("[^{}]*\}')
_SYMBOL = re.compile(r'<symbol id="([a-z]+)" viewBox="([0-9 ]+)">(.*?)</symbol>', re.DOTALL)


def style() -> Markup:
    """The element with all rules."""
    sheet = _text("style.css")
    kept = "".join(f"@layer {name}{{{body}}}\n" for name, body in layers(sheet) if name in _LAYERS)
    own = files("mailmum").joinpath("cli/analyze.css").read_text("utf-8")
    order = f"@layer {', '.join(_LAYERS)};\n"
    rules = _WITH_FILE.sub("", kept) + _COMMENT.sub("", own)
    return element("style", Markup(order + _tight(rules)))


def layers(sheet: str) -> list[tuple[str, str]]:
    """The layers of a stylesheet in order, each with what stands between its braces."""
    text = _COMMENT.sub("", sheet)
    found = []
    at = 0
    while (begin := _LAYER.search(text, at)) is not None:
        at = _closing(text, begin.end())
        found.append((begin[1], text[begin.end() : at - 1]))
    return found


def _closing(text: str, at: int) -> int:
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def _tight(rules: str) -> str:
    return re.sub(r"\s+", " ", rules).replace("} ", "}\n")


def sprite(names: tuple[str, ...]) -> Markup:
    """The icons of these names, once for the page."""
    known = {name: (box, body) for name, box, body in _SYMBOL.findall(_text("icons.svg"))}
    symbols = [
        element("symbol", Markup(known[name][1]), id=f"i-{name}", viewBox=known[name][0])
        for name in names
    ]
    return element("svg", join(symbols), width=0, height=0, aria_hidden="true", class_="vh")


def icon(name: str) -> Markup:
    """An icon; the word beside it says what it means."""
    use = element("use", href=f"#i-{name}")
    return element("svg", use, class_="i", viewBox="0 0 16 16", aria_hidden="true")


def _text(name: str) -> str:
    return files("mailmum").joinpath(str(_STATIC / name)).read_text("utf-8")
