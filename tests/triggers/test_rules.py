"""Rules refuse what cannot be counted, and say what to write instead."""

import pytest

from mailmum.domain.errors import BadInput
from mailmum.triggers.presets import PRESETS
from mailmum.triggers.rules import DAY, Group, Metric, Rule


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"threshold": 0}, "threshold", "the threshold, 0, is out of range; give 1 to 1,000,000"),
        ({"window": 8 * DAY}, "window", "the window, 8d, is out of range; give 1s to 1w"),
        (
            {"lifetime": 1},
            "lifetime",
            "lifetime, 1s, is out of range; give 1m to 36500d, a hundred years",
        ),
        (
            {"lifetime": 9 * DAY, "longest": DAY},
            "longest",
            "lifetime, 1d, is shorter than the first, 9d",
        ),
        ({"growth": 0}, "growth", "the growth, 0, is out of range; give 1 to 100; 1: always"),
        ({"merge": 1}, "merge", "the number to merge, 1, is out of range; give 2 to 256, or 0"),
        ({"metric": Metric.ASKED, "group": Group.DOMAIN}, "group", "not about domains"),
        (
            {"merge": 2, "group": Group.DOMAIN},
            "merge",
            "domains are not merged: there is no network",
        ),
        ({"metric": Metric.SCORE}, "score", "is missing; write for example 15"),
        ({"score": 5.0}, "score", "a spam score is for the metric score only"),
        ({"metric": Metric.TRAP}, "traps", "there is no trap address"),
        ({"traps": ("a@b.example",)}, "traps", "trap addresses are for the metric trap only"),
        ({"lists": ("zen.rbl.example",)}, "lists", "are for the metrics rbl, lists and asked only"),
        (
            {"metric": Metric.LISTS, "lists": ("zen.rbl.example",), "threshold": 2},
            "threshold",
            "2 lists are to hit, and only 1 count",
        ),
    ],
)
def test_refuses(given: dict[str, object], field: str, said: str) -> None:
    """The field at fault is named, and the fix."""
    fields = {"metric": Metric.UNKNOWN, "threshold": 3, "window": 60} | given
    with pytest.raises(BadInput) as refused:
        Rule(**fields)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert said in str(refused.value)


def test_lifetimes_never_overflow() -> None:
    """However often somebody offends, and however long the first lifetime is."""
    rule = Rule(Metric.UNKNOWN, 1, 60, lifetime=DAY, growth=100, longest=90 * DAY)
    assert [rule.lifetime_of(times) for times in (1, 2, 10**6)] == [DAY, 90 * DAY, 90 * DAY]
    assert Rule(Metric.UNKNOWN, 1, 60, growth=1).lifetime_of(10**6) == DAY


def test_presets_have_names_of_their_own() -> None:
    """There is one for each thing that the issue asks for, and a brake in every one."""
    assert len({one.name for one in PRESETS}) == len(PRESETS) == 8
    assert all(one.rule.brake and one.rule.accepted and one.reason for one in PRESETS)
