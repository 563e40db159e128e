"""Singles against the judge that sees everything: what is left out could not have mattered."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.traffic.sightings import Outcome as Became
from mailmum.triggers.backtest import Outcome, run
from mailmum.triggers.contacts import Contact, Context
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Group, Metric, Rule
from mailmum.triggers.singles import Singles
from tests.triggers.naive import Spares, contact
from tests.triggers.test_judge import PUBLIC, SPARED, contacts, rules

BEGIN = 1_790_000_000
NAMES = [None, "h1.pool.example", "h2.pool.example", "pool.example", "co.uk", "localhost", "-"]


def _both(
    rule: Rule, seen: list[Contact], context: Context, spared: set[str], cut: int = 7
) -> tuple[Outcome, Outcome]:
    """What comes of it by the judge alone, and through the sieve."""
    seen = sorted(seen, key=lambda one: (one.at, one.number))
    plain, outcome = Outcome(), Outcome()
    for _ in run(Judge(rule, context, Spares(*spared)), seen, plain):
        pass
    singles = Singles(rule, context)
    for at in range(0, len(seen), cut):
        singles.take(map(tuple, seen[at : at + cut]))
    singles.sift()
    for _ in singles.judged(Judge(rule, context, Spares(*spared)), outcome):
        pass
    return plain, outcome


@settings(max_examples=150)
@given(rules, contacts(), st.sets(st.sampled_from(SPARED)))
def test_decides_as_the_judge_that_sees_all(
    rule: Rule, seen: list[Contact], spared: set[str]
) -> None:
    """The same listings and the same spared, with all evidence, networks in their place."""
    plain, outcome = _both(replace(rule, brake=0), seen, Context(public=PUBLIC), spared)
    assert outcome == plain


@settings(max_examples=80)
@given(
    contacts(),
    st.lists(st.sampled_from(NAMES), min_size=60, max_size=60),
    st.sampled_from([Group.ADDRESS, Group.NETWORK, Group.DOMAIN]),
    st.integers(1, 4),
    st.sampled_from([60, 3600]),
    st.sampled_from([Metric.SCORE, Metric.TRAP, Metric.UNKNOWN]),
)
def test_of_scores_traps_and_domains(
    seen: list[Contact],
    names: list[str | None],
    group: Group,
    threshold: int,
    window: int,
    metric: Metric,
) -> None:
    """By what only single contacts have."""
    seen = [
        one._replace(
            name=name, score=(None, 9.9, 10.0)[at % 3], recipient=(None, "t@x", "o@x")[at % 3]
        )
        for at, (one, name) in enumerate(zip(seen, names, strict=False))
    ]
    rule = Rule(
        metric,
        threshold,
        window,
        group,
        score=10.0 if metric is Metric.SCORE else None,
        traps=("t@x",) if metric is Metric.TRAP else (),
        lifetime=1800,
        brake=0,
    )
    plain, outcome = _both(rule, seen, Context(traps=frozenset(rule.traps)), {".pool.example"})
    assert outcome == plain


def test_only_who_comes_near_is_left() -> None:
    """With what lies in a stretch that is enough; the guard is asked about nobody else."""
    rule = Rule(Metric.UNKNOWN, threshold=3, window=60)
    near = [contact(n, BEGIN + 20 * n, "203.0.113.1", Became.UNKNOWN_RECIPIENT) for n in (1, 2, 3)]
    far = [contact(n, BEGIN + 20 * n, "203.0.113.2", Became.UNKNOWN_RECIPIENT) for n in (4, 5, 8)]
    alone = contact(9, BEGIN + 900, "203.0.113.1", Became.UNKNOWN_RECIPIENT)
    singles = Singles(rule, Context())
    singles.take([*near, *far, alone])
    singles.sift()
    assert sorted(singles.sifted()) == [0, 1, 2]
    assert singles.clients() == {near[0].client}
