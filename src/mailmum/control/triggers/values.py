"""Between rows and values: a trigger as the database, the judge and people see it."""

from dataclasses import asdict, fields
from typing import Any

from mailmum.control.journal.moments import instant
from mailmum.control.triggers.models import Trigger
from mailmum.domain.words import span
from mailmum.triggers.rules import Group, Metric, Mode, Rule, Where, time_text

TIMES = ("window", "lifetime", "longest", "quiet", "brake_window")
"""Fields of a rule that people write as lifetimes."""
_WORDS = {"metric": Metric, "group": Group, "where": Where}
_TUPLES = ("lists", "traps")


def rule_of(trigger: Trigger) -> Rule:
    """The parameters of a trigger."""
    return to_rule({**trigger.rule, "server": trigger.server})


def to_rule(stored: dict[str, Any]) -> Rule:
    """A rule from its fields as JSON holds them."""
    known = {one.name for one in fields(Rule)}
    values = {name: value for name, value in stored.items() if name in known}
    for name, kind in _WORDS.items():
        if name in values:
            values[name] = kind(values[name])
    for name in _TUPLES:
        values[name] = tuple(values.get(name, ()))
    return Rule(**values)


def stored_rule(rule: Rule) -> dict[str, Any]:
    """A rule as it is kept; its server has a column of its own."""
    values = asdict(rule)
    del values["server"]
    return values | {name: list(values[name]) for name in _TUPLES}


def said_rule(rule: Rule, servers: dict[int, str]) -> dict[str, Any]:
    """A rule as people write it: times as lifetimes, the server by name."""
    values = stored_rule(rule)
    values |= {name: time_text(values[name]) for name in TIMES}
    values["server"] = servers.get(rule.server, f"server {rule.server}") if rule.server else None
    return values


def state(trigger: Trigger, servers: dict[int, str]) -> dict[str, Any]:
    """What the journal holds of a trigger, before and after a change."""
    return {
        "name": trigger.name,
        "mode": trigger.mode,
        **said_rule(rule_of(trigger), servers),
        "reason": trigger.reason,
        "note": trigger.note,
    }


def as_dict(trigger: Trigger, servers: dict[int, str], in_force: int) -> dict[str, Any]:
    """A trigger as API and command line show it."""
    return {
        **state(trigger, servers),
        "says": sentence(rule_of(trigger), servers),
        "in_force": in_force,
        "counting": _is_counting(trigger),
        "stopped": instant(trigger.stopped_at),
        "stopped_why": trigger.stopped_why,
        "created": instant(trigger.created),
        "created_by": trigger.created_by,
        "changed": instant(trigger.changed),
        "changed_by": trigger.changed_by,
    }


def _is_counting(trigger: Trigger) -> bool:
    """Whether the worker follows it, which it takes up a moment after it was saved."""
    on = trigger.mode != Mode.OFF and trigger.stopped_at is None
    return on and trigger.since is not None


def sentence(rule: Rule, servers: dict[int, str]) -> str:
    """What a rule does, in one sentence.

    >>> sentence(Rule(Metric.UNKNOWN, threshold=20, window=600, growth=1), {})
    '20 unknown recipients within 10 min from one address: listed for 1 day'
    """
    what = rule.metric.counted(rule.threshold, rule.score)
    if rule.lists:
        what += f" ({', '.join(rule.lists)})"
    at = f" on {servers.get(rule.server, 'a server')}" if rule.server else ""
    where = " where it happened" if rule.where is Where.SERVER else ""
    grows = f", then longer, at most {span(rule.longest)}" if rule.growth > 1 else ""
    return (
        f"{what} within {span(rule.window)} from one {rule.group.words}{at}: "
        f"listed{where} for {span(rule.lifetime)}{grows}"
    )
