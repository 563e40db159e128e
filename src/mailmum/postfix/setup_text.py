"""A setup as text: a shell script in which all but the commands to run is comment."""

import textwrap
from collections.abc import Iterable, Iterator

from mailmum.postfix.setup_plan import Plan

_WIDTH = 100


def render(plan: Plan) -> str:
    """The script, for people to read and for a shell to run."""
    return "\n".join(_script(plan)) + "\n"


def _script(plan: Plan) -> Iterator[str]:
    yield from _comment(f"Postfix setup for the server {plan.server}.")
    yield from _comment(_summary(plan))
    yield ""
    yield from plan.lines
    if plan.insertions:
        yield from _titled("What is set there already was left alone. Insert by hand:")
        for insertion in plan.insertions:
            yield from _point(f"{insertion.parameter}: {insertion.text} {insertion.where}.")
    yield from _titled("To undo:" if plan.merged else "To undo, after taking out the insertions:")
    yield from _indented(plan.undo)
    yield from _titled("To know:")
    yield from _points(plan.notes)
    if plan.resolvers or plan.advice:
        yield from _titled("How the resolver of the mail server reaches the service:")
    for recipe in plan.resolvers:
        yield from _point(recipe.resolver)
        yield from _indented(recipe.lines)
    yield from _points(plan.advice)


def _summary(plan: Plan) -> str:
    if not plan.merged:
        return (
            "There is no Postfix configuration to read here. Run this on the mail server, where it "
            "merges with what is set; or run these lines there and see to the insertions below."
        )
    if plan.changes:
        return "Merged with the configuration of this Postfix: nothing that stands is dropped."
    return "main.cf has all of it already: running this again changes nothing."


def _titled(title: str) -> Iterator[str]:
    yield ""
    yield from _comment(title)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"#     {line}" for line in lines)


def _points(points: Iterable[str]) -> Iterator[str]:
    for point in points:
        yield from _point(point)


def _point(text: str) -> Iterator[str]:
    return _comment(text, first="# - ", rest="#   ")


def _comment(text: str, *, first: str = "# ", rest: str = "# ") -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
