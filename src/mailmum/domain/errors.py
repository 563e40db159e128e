"""What MailMum refuses, and how it says so.

A refusal is the asker's to mend: bad input, a missing confirmation, a conflict.  It names what was
given, why it cannot be done, and the likely fix; web, API and command line all show the same text.
Faults of our own are ordinary exceptions and are never caught under this name.

    >>> str(BadInput("203.0.113.7/24 is not a network: bits beyond /24 are set",
    ...              fix="did you mean 203.0.113.0/24?"))
    '203.0.113.7/24 is not a network: bits beyond /24 are set; did you mean 203.0.113.0/24?'
"""

FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What code of ours that is wrong raises; all else is the machine's or the caller's."""


class Refusal(Exception):
    """Something asked for that will not be done, with the reason and the likely fix.

    Args:
        problem: what was given and why it is refused, one sentence without a full stop.
        fix: the likely remedy, in the imperative or as a question; may be empty.
        field: the name of the input field at fault, for errors shown beside it.
    """

    code = "refused"

    def __init__(self, problem: str, *, fix: str = "", field: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix
        self.field = field

    def __str__(self) -> str:
        return f"{self.problem}; {self.fix}" if self.fix else self.problem


class BadInput(Refusal):
    """The input cannot be understood or breaks a limit."""

    code = "bad-input"


class NeedsConfirmation(Refusal):
    """Possible but dangerous: asked again with an explicit confirmation it is done."""

    code = "needs-confirmation"


class Conflict(Refusal):
    """The present state does not allow it."""

    code = "conflict"


class NotFound(Refusal):
    """No such thing within what the asker may see."""

    code = "not-found"


class Forbidden(Refusal):
    """The asker's role or token does not allow it."""

    code = "forbidden"


class SeveralRefused(Refusal):
    """Several inputs of one change, of which some are refused; none of them is done.

    Args:
        items: each refused input as it was given, with its refusal.
        total: how many inputs there were.
    """

    def __init__(self, items: "list[tuple[str, Refusal]]", total: int) -> None:
        first = items[0][1]
        if total == 1:
            super().__init__(first.problem, fix=first.fix, field=first.field)
        else:
            super().__init__(
                f"{len(items)} of {total} targets {'is' if len(items) == 1 else 'are'} refused "
                "and nothing was changed: "
                f"{first.problem}",
                fix=first.fix,
                field=first.field,
            )
        self.items = items
        only_confirmation = all(isinstance(item, NeedsConfirmation) for _, item in items)
        self.code = NeedsConfirmation.code if only_confirmation else BadInput.code
