"""A reader with a fault in it: a certain line makes it raise."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from mailmum.postfix.log.router import Router

POISON = b"Nov 25 08:00:00 mx1 postfix/smtpd[66]: warning: a poisoned line\n"


@contextmanager
def faulty(kind: type[Router] = Router) -> Iterator[None]:
    """While this lasts the reader has a fault."""
    real = kind.said

    def said(self: Router, *line: object) -> bool | None:
        if line[-1] == "warning: a poisoned line":
            raise ZeroDivisionError("a fault")
        return real(self, *line)  # type: ignore[arg-type]

    with mock.patch.object(kind, "said", said):
        yield
