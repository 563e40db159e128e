"""What a watch yields: something that holds now, with how grave it is and where one sees more."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave it is: worth knowing, worth a look soon, mail may be suffering."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Graver ones are higher."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something out of the ordinary that holds now.

    Attributes:
        about: what it is about, stable for as long as it holds: with the kind its identity.
        text: one sentence without a full stop; names that strangers chose are made fit for it.
        severity: how grave it is.
        since: since when it has held, Unix time.
        link: the page that shows more, below that of the account: `server/mx1/`.
    """

    about: str
    text: str
    severity: Severity
    since: float
    link: str
