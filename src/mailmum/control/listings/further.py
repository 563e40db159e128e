"""Listings that are not rows of their own: who knows of some joins in here.

An entry of a feed is no version in the database, but it decides like one.  So whoever explains a
verdict asks these sources too; they give versions that are not saved, made for the occasion.
"""

from collections.abc import Callable, Iterator

from mailmum.control.listings.models import Version
from mailmum.domain.targets import Target

SOURCES: list[Callable[[int, list[Target]], list[Version]]] = []
"""Each takes the number of an account and targets, and gives what is listed of exactly these."""


def further(account: int, targets: list[Target]) -> Iterator[Version]:
    """What is listed beside the rows."""
    for source in SOURCES:
        yield from source(account, targets)
