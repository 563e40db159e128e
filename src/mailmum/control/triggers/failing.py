"""When following a trigger fails by a fault of ours: it is tried again, and everybody else goes on.

    failed once         it is taken up anew from what is kept, and judges contact by contact
    at a contact        three times at the same: the trigger leaves it out from now on
    on everything       ten left out in a row, or no contact is to blame: tried again with growing
                        pauses, ten minutes at most; nothing is lost meanwhile

What is left out is kept (`Skipped`), so that a restart counts as the process before did.  `doctor`
and an alert tell of it.  A database that is away is nobody's fault, and is let through.
"""

from collections.abc import Container
from dataclasses import dataclass

import structlog
from django.db import DataError, IntegrityError
from django.utils import timezone

from mailmum.control.triggers.models import Skipped, Trigger
from mailmum.domain.errors import FAULTS, Refusal

log = structlog.get_logger()

FAILURES = (*FAULTS, Refusal, DataError, IntegrityError)
"""What makes one trigger fail, and says nothing about the others."""
TRIES, IN_A_ROW = 3, 10
_SOON, _LONGEST = 1.0, 600.0


@dataclass(slots=True)
class Trouble:
    """How a trigger fails.

    Attributes:
        number: of the contact, 0 for none in particular.
        tries: how often in a row at that.
        skipped: how many contacts were left out in a row.
        again: when it is tried next, our own clock.
    """

    number: int = 0
    tries: int = 0
    skipped: int = 0
    again: float = 0.0


class Troubles:
    """The triggers of a follower that fail, by number."""

    def __init__(self) -> None:
        self._of: dict[int, Trouble] = {}

    def is_careful(self, trigger: int) -> bool:
        """Whether it has to judge contact by contact, so that it is known which one it is."""
        return trigger in self._of

    def waits(self, trigger: int, now: float) -> bool:
        """Whether it is not to be tried yet; a clock that was set back keeps nobody waiting."""
        trouble = self._of.get(trigger)
        return trouble is not None and 0 < trouble.again - now <= _LONGEST

    def keep(self, triggers: Container[int]) -> None:
        """Forget how all others failed: they are followed no more."""
        self._of = {number: one for number, one in self._of.items() if number in triggers}

    def due(self, now: float, followed: Container[int]) -> bool:
        """Whether one of them is to be tried now."""
        return any(trigger not in followed and not self.waits(trigger, now) for trigger in self._of)

    def failed(self, trigger: Trigger, number: int, fault: Exception, now: float) -> None:
        """Note that it failed at a contact, 0 for none in particular."""
        trouble = self._of.setdefault(trigger.pk, Trouble())
        trouble.tries = trouble.tries + 1 if trouble.number == number else 1
        trouble.number, trouble.again = number, now + _SOON
        why = f"{type(fault).__name__}: {fault}"[:300]
        log.error(
            "trigger.failed",
            trigger=trigger.pk,
            account=trigger.account_id,
            contact=number,
            tries=trouble.tries,
            exc_info=fault,
        )
        if trouble.tries < TRIES:
            return
        if number and trouble.skipped < IN_A_ROW:
            trouble.skipped, trouble.again = trouble.skipped + 1, now
            _leave_out(trigger, number, why)
        else:
            trouble.again = now + min(_SOON * 2.0 ** min(trouble.tries, 16), _LONGEST)
            _leave_out(trigger, 0, why)

    def passed(self, trigger: Trigger) -> None:
        """It has judged again without failing."""
        if self._of.pop(trigger.pk, None) is not None:
            Skipped.objects.filter(trigger=trigger, number=0).delete()


def _leave_out(trigger: Trigger, number: int, why: str) -> None:
    Skipped.objects.update_or_create(
        trigger=trigger, number=number, defaults={"at": timezone.now(), "why": _plain(why)}
    )


def _plain(text: str) -> str:
    """Without control characters: NUL cannot be kept, and none belongs in a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
