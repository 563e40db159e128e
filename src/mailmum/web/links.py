"""Addresses of pages, made without looking them up each time.

A page holds hundreds of addresses, and to find one Django goes through its patterns and reads its
own answer again.  What is in them is mostly numbers: so Django is asked once for each page, with
numbers that stand for others, and from then on the right ones are put in their place.  An address
with anything but plain numbers in it (the name of a server) is Django's to make, as ever.

    link("listing", account=1, number=7)    /a/1/listings/7/
"""

from functools import lru_cache

from django.urls import get_script_prefix, reverse

_STAND_IN = 987_654_321_000_000
_MOST = 10**15
"""Addresses may hold larger numbers; few do."""

Argument = int | str


def link(name: str, /, *args: Argument, **named: Argument) -> str:
    """The address of a page, as `django.urls.reverse` makes it.

    Raises:
        NoReverseMatch: there is no such page.
    """
    values = (*args, *named.values())
    if not all(type(value) is int and 0 <= value < _MOST for value in values):
        return reverse(name, args=args or None, kwargs=named or None)
    parts = _parts(get_script_prefix(), name, len(args), tuple(named))
    return "".join([text if isinstance(text, str) else str(values[text]) for text in parts])


@lru_cache(maxsize=1024)
def _parts(prefix: str, name: str, count: int, names: tuple[str, ...]) -> tuple[str | int, ...]:
    """The address in pieces; a number says which of the values stands there.

    `prefix` is what Django puts before all addresses, and so part of the question.
    """
    stand_ins = [_STAND_IN + place for place in range(count + len(names))]
    args, named = stand_ins[:count], dict(zip(names, stand_ins[count:], strict=True))
    rest, parts = reverse(name, args=args or None, kwargs=named or None), list[str | int]()
    # In an address values may stand in another order than they were named in.
    order = sorted(range(len(stand_ins)), key=lambda at: rest.index(str(stand_ins[at])))
    for place in order:
        before, _, rest = rest.partition(str(stand_ins[place]))
        parts += [before, place]
    return (*parts, rest)
