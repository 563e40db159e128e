"""Pages of rows that are numbered downwards: the newest first, `?before=NUMBER` for what follows.

A page begins below a number instead of after so many rows, so it costs the same anywhere in a long
list, and rows added meanwhile neither repeat nor hide one.
"""

import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

SIZE = 50
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of many.

    Attributes:
        rows: these.
        first, last: their positions among all, from 1; 0 when there are none.
        total: how many there are in all.
        next: the number below which the following page begins, None on the last one.
    """

    rows: list[Row]
    first: int
    last: int
    total: int
    next: int | None


def page_of(
    found: "QuerySet[Row, Row]",
    key: str,
    before: int | None,
    size: int = SIZE,
    *,
    total: int | None = None,
) -> Page[Row]:
    """The rows below a number; `found` is ordered by `key`, the highest first.

    `total` is how many there are of `found`, where that is known without counting them.
    """
    below = found if before is None else found.filter(**{f"{key}__lt": before})
    rows = list(below[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    # What is all on one page need not be counted: that would look through everything again.
    if not more and before is None:
        total = len(rows)
    elif total is None:
        total = found.count()
    skipped = 0 if before is None else total - (below.count() if more else len(rows))
    following: Any = getattr(rows[-1], key) if more else None
    first = skipped + 1 if rows else 0
    return Page(rows, first, skipped + len(rows) if rows else 0, total, following)


def before_of(request: HttpRequest, name: str = "before") -> int | None:
    """The number that the address asks to begin below; None for the first page."""
    text = request.GET.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None
