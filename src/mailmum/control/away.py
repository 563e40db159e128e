"""Which database is away, for the words in which a fault is told: both may lie on one disk."""

from django.db import DatabaseError

from mailmum.control.journal.models import Record
from mailmum.control.traffic import health


def only_traffic() -> bool:
    """Whether the database of traffic is away and the other is not."""
    if not health.known():
        return False
    try:
        Record.objects.exists()
    except DatabaseError:
        return False
    return True
