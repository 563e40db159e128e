r"""Elements of HTML and SVG as strings that are escaped by construction.

A plain string is text and is escaped on its way in; only `element` and `join` make markup.  What
shows nothing itself (controls, marks that reorder text) is written as an escape.

    >>> element("b", "x < \x1b[2J", class_="o", title='"')
    '<b class="o" title="&quot;">x &lt; \\x1b[2J</b>'
"""

import html
from collections.abc import Iterable
from functools import lru_cache
from typing import LiteralString

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
    return Markup(_escaped(text))


def element(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """One element.

    Args:
        name: its tag.
        children: markup as it is, anything else as text.
        attributes: `class_` is `class`, `aria_label` is `aria-label`; None and False are left out,
            True has no value.
    """
    made = ["<", name]
    for key, value in attributes.items():
        if value is not None and value is not False:
            made.append(_attribute(key, value))
    if name in _VOID:
        made.append(">")
    elif not children and name in _CLOSED_AT_ONCE:
        made.append("/>")
    else:
        made.append(">")
        made += [part if isinstance(part, Markup) else _escaped(part) for part in children]
        made += ("</", name, ">")
    return Markup("".join(made))


def filled(pattern: LiteralString, *values: str | float) -> Markup:
    """Markup that is written out, with places in braces for values: for what there is much of.

    >>> filled('<b title="{}">{}</b>', 2.0, "x < y")
    '<b title="2">x &lt; y</b>'
    """
    return Markup(pattern.format(*[_value(one) for one in values]))


def join(parts: Iterable[str]) -> Markup:
    """Pieces of markup and text after one another."""
    return Markup("".join([part if isinstance(part, Markup) else _escaped(part) for part in parts]))


def number(value: float) -> str:
    """A coordinate with at most two digits after the point.

    >>> number(2.0), number(0.126)
    ('2', '0.13')
    """
    if type(value) is int:
        return str(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _attribute(key: str, value: str | float | bool) -> str:
    return f" {_name(key)}" if value is True else f' {_name(key)}="{_value(value)}"'


def _value(value: str | float) -> str:
    if isinstance(value, Markup):
        return value
    return _escaped(value) if isinstance(value, str) else number(value)


@lru_cache(maxsize=256)
def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _escaped(text: object) -> str:
    return html.escape(visible(text))
