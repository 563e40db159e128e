r"""Elements of HTML and SVG as strings that are escaped by construction.

A plain string is text and is escaped on its way in; only `element` and `join` make markup.  What
shows nothing itself (controls, marks that reorder text) is written as an escape.

    >>> element("b", "x < \x1b[2J", class_="o", title='"')
    '<b class="o" title="&quot;">x &lt; \\x1b[2J</b>'
"""

import html
from collections.abc import Iterable

from mailmum.domain.visible import visible


class Markup(str):
    """Markup that is complete and safe to stand in a document."""

    __slots__ = ()

    def __html__(self) -> "Markup":
        """What templates ask for: it needs no escaping."""
        return self


Attribute = str | float | bool | None

# HTML elements that have no end tag; in SVG all others may be closed at once when empty.
_VOID = frozenset({"meta", "br", "hr", "link", "img", "input", "wbr"})
_CLOSED_AT_ONCE = frozenset({"path", "rect", "line", "circle", "use", "text"})


def escaped(text: object) -> Markup:
    """Any text as markup."""
    return Markup(html.escape(visible(text)))


def element(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """One element.

    Args:
        name: its tag.
        children: markup as it is, anything else as text.
        attributes: `class_` is `class`, `aria_label` is `aria-label`; None and False are left out,
            True has no value.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}"
    if name in _VOID:
        return Markup(f"{start}>")
    if not children and name in _CLOSED_AT_ONCE:
        return Markup(f"{start}/>")
    return Markup(f"{start}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """Pieces of markup and text after one another."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(part) for part in parts))


def number(value: float) -> str:
    """A coordinate with at most two digits after the point.

    >>> number(2.0), number(0.126)
    ('2', '0.13')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else number(value)
    return f' {name}="{text if isinstance(text, Markup) else escaped(text)}"'
