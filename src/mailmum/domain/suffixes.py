"""Public suffixes: names below which strangers register names of their own.

`com`, `co.uk` and `github.io` are nobody's alone: whoever lists one of them with all under it stops
the mail of people who have nothing in common.  Which names are such is agreed on in the Public
Suffix List; the package `publicsuffixlist` brings a copy of it, so nothing is asked over a network.

A top-level domain that the list does not know counts as a public suffix, as the list itself has it.

    >>> is_public_suffix("co.uk"), is_public_suffix("shop.co.uk"), is_public_suffix("example")
    (True, False, True)
"""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from mailmum.domain.targets import NameTarget, Target

_KEPT = 20_000


@cache
def _suffixes() -> PublicSuffixList:
    # Read at the first question: most processes never ask one.
    return PublicSuffixList(accept_unknown=True)


@lru_cache(_KEPT)
def is_public_suffix(name: str) -> bool:
    """Whether strangers register names below this one, given as `domain.names` has names."""
    return bool(_suffixes().is_public(name))


def is_shared(target: Target) -> bool:
    """Whether a listing of it, with all under it, would hit the names of strangers."""
    return isinstance(target, NameTarget) and target.whole and is_public_suffix(target.name)
