"""What somebody wants listed, checked, before it meets the database.

Web, API, command line and import all come through `Wish`: one set of checks, one wording.  `KEEP`
stands for "leave it as it is when the listing exists already, else the default".
"""

from dataclasses import dataclass
from enum import Enum

from mailmum.domain.codes import parse_code
from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import LONGEST, end_of
from mailmum.domain.listings import Action
from mailmum.domain.texts import NOTE_LIMIT, REASON_LIMIT, clean_line, clean_text


class Keep(Enum):
    """The type of `KEEP`."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True, slots=True)
class Wish:
    """All of a listing but its target and scope.

    Attributes:
        action: block or allow; KEEP only when an existing listing is edited.
        reason: public text.
        note: private text.
        code: return code as integer, None for the default.
        expires: Unix time in seconds, None for never.
        enabled: whether it is in force.
    """

    action: Action | Keep
    reason: str | Keep = KEEP
    note: str | Keep = KEEP
    code: int | Keep | None = KEEP
    expires: int | Keep | None = KEEP
    enabled: bool | Keep = KEEP


def make_wish(  # noqa: PLR0913 (one argument a field of the form)
    action: Action | Keep,
    *,
    now: float,
    reason: str | None = None,
    note: str | None = None,
    code: str | Keep | None = KEEP,
    lifetime: str | Keep | None = KEEP,
    expires: int | Keep | None = KEEP,
    enabled: bool | None = None,
) -> Wish:
    """Check what came from outside.

    Args:
        action: block or allow, KEEP to leave it.
        now: Unix time in seconds.
        reason: public text, None to leave it.
        note: private text, None to leave it.
        code: dotted return code, None or empty for the default, KEEP to leave it.
        lifetime: such as `7d`, None or empty for without end, KEEP to leave it.
        expires: Unix time instead of a lifetime.
        enabled: None to leave it.

    Raises:
        BadInput: one of them is wrong; `field` names it.
    """
    end: int | Keep | None = expires
    if lifetime is not KEEP:
        if expires is not KEEP and expires is not None and lifetime:
            raise BadInput("give a lifetime or an end, not both", field="for")
        if lifetime or expires is KEEP:
            end = end_of(lifetime, now)
    return Wish(
        action=action,
        reason=KEEP if reason is None else clean_line(reason, field="reason", limit=REASON_LIMIT),
        note=KEEP if note is None else clean_text(note, field="note", limit=NOTE_LIMIT),
        code=KEEP if code is KEEP else _code(code),
        expires=_checked_end(end, now),
        enabled=KEEP if enabled is None else enabled,
    )


def _code(text: str | None) -> int | None:
    return parse_code(text) if text and text.strip() else None


def _checked_end(end: int | Keep | None, now: float) -> int | Keep | None:
    if not isinstance(end, int):
        return end
    if end <= now:
        raise BadInput("the end lies in the past", fix="give a time to come", field="expires")
    if end > now + LONGEST:
        raise BadInput("the end is more than a hundred years away", field="expires")
    return end
