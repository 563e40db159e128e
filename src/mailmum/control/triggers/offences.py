"""What is remembered of offenders when a trigger begins to list, after it has only observed.

Who would have been listed is not: it must not be kept from being so now.  Who was listed before the
trigger observed, or was off, still is, or has been taken off by a person; that goes on to count.
"""

from typing import NamedTuple

from mailmum.control.triggers.acting import LIST, PAST, WOULD
from mailmum.control.triggers.models import Finding, Offence, Trigger

_AT_ONCE = 500


class _Fact(NamedTuple):
    """What a finding says of an offence."""

    times: int
    begin: int
    until: int


def forget_observed(trigger: Trigger) -> None:
    """Forget who would have been listed, and bring back what was known of them before."""
    real: dict[tuple[int, str], _Fact] = {}
    observed: set[tuple[int, str]] = set()
    ends: set[tuple[int, int]] = set()
    told = Finding.objects.filter(trigger=trigger, kind__in=[LIST, PAST, WOULD]).order_by("id")
    for scope, target, kind, *fact in told.values_list(
        "scope", "target", "kind", "times", "begin", "until"
    ):
        if kind == WOULD:
            observed.add((scope, target))
            ends.add((scope, fact[-1]))
        else:
            real[scope, target] = _Fact(*fact)
            observed.discard((scope, target))
    gone: list[int] = []
    back: list[Offence] = []
    for one in Offence.objects.filter(trigger=trigger):
        place = (one.scope, one.target)
        if (known := real.get(place)) is None:
            gone.append(one.pk)
        elif place in observed or (one.scope, one.until) in ends:
            # With a network that would have been listed its parts would have been.
            one.times, one.begin, one.until = known
            back.append(one)
    for at in range(0, len(gone), _AT_ONCE):
        Offence.objects.filter(pk__in=gone[at : at + _AT_ONCE]).delete()
    Offence.objects.bulk_update(back, ["times", "begin", "until"], batch_size=_AT_ONCE // 5)
