"""Trying a rule that somebody is about to save, beside the trigger as it is saved."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.triggers.backtest import backtest
from mailmum.control.triggers.draft import Draft, draft_of
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.queries import find_trigger
from mailmum.control.triggers.report import Report
from mailmum.control.triggers.services import as_it_is
from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.triggers.rules import Rule

Steps = Generator[Progress | dict[str, Report], None, None]
"""Whoever closes it ends the trial."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tried.

    Attributes:
        name: of the trigger to start from, empty for none.
        preset: of the ready-made one to start from.
        given: fields as people write them.
        days: how far to look back.
    """

    name: str = ""
    preset: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    days: int = 30


def rules_of(reading: Reading, wish: Wish) -> tuple[Rule, Rule | None]:
    """The rule to try, and the saved one where that is another.

    Raises:
        BadInput: a field is not understood.
        NotFound: no such trigger, or no such server.
    """
    if wish.name and wish.preset:
        raise BadInput(
            f"the trigger {shown(wish.name)} is tried as it is saved, so no preset goes with it",
            fix="name one of the two",
            field="preset",
        )
    was: Draft | None = as_it_is(find_trigger(reading, wish.name)) if wish.name else None
    draft = draft_of(reading, wish.given, was, wish.preset)
    saved = was.rule if was is not None and was.rule != draft.rule else None
    return draft.rule, saved


def tried(reading: Reading, wish: Wish) -> Steps:
    """Progress, and the reports last: `report`, and `saved` where that is another rule.

    Raises:
        BadInput: a field is not understood; before anything is read.
        NotFound: no such trigger, or no such server.
    """
    rule, saved = rules_of(reading, wish)
    return _tried(reading, rule, saved, wish.days)


def _tried(reading: Reading, rule: Rule, saved: Rule | None, days: int) -> Steps:
    found: dict[str, Report] = {}
    for name, one in (("saved", saved), ("report", rule)):
        if one is None:
            continue
        for step in backtest(reading, one, days=days):
            if isinstance(step, Report):
                found[name] = step
            else:
                yield step
    yield found
