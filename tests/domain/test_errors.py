"""Refusals."""

import pytest

from mailmum.domain.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NeedsConfirmation,
    NotFound,
    Refusal,
)


def test_a_refusal_says_problem_and_fix() -> None:
    """One sentence, and the fix after a semicolon where there is one."""
    assert str(BadInput("203.0.113 is no address", fix="write four octets")) == (
        "203.0.113 is no address; write four octets"
    )
    assert str(NotFound("there is no server mx9")) == "there is no server mx9"


@pytest.mark.parametrize("kind", [BadInput, NeedsConfirmation, Conflict, NotFound, Forbidden])
def test_refusals_are_told_apart_by_code(kind: type[Refusal]) -> None:
    """Each kind has a code of its own, which web, API and command line share."""
    refusal = kind("no", fix="ask", field="name")
    assert isinstance(refusal, Refusal)
    assert (refusal.problem, refusal.fix, refusal.field) == ("no", "ask", "name")
    others = {BadInput, NeedsConfirmation, Conflict, NotFound, Forbidden} - {kind}
    assert refusal.code not in {other.code for other in others} | {Refusal.code}
