"""Taking back what one step of a walk did, so that the next finds things as they were.

    for page in pages:
        with undone():
            ask(page)

To make all that a walk over every page asks for takes far longer than to ask; so it is made once
for many steps, and each runs in savepoints of both databases that are rolled back.
"""

import contextlib
from collections.abc import Iterator

from django.db import connections, transaction


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Roll back what the block changes in any database; only inside a test's own transaction."""
    with contextlib.ExitStack() as stack:
        for alias in connections:
            stack.enter_context(transaction.atomic(using=alias))
        yield
        for alias in connections:
            transaction.set_rollback(True, using=alias)
