"""How long a listing shall hold, as forms ask it: some common lengths, another one, or as it is."""

from mailmum.domain.errors import BadInput
from mailmum.web.form import Form

LIFETIMES = (("1h", "1 h"), ("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"), ("", "Open"))
OTHER, AS_IT_IS = "other", "keep"


def lifetime_of(form: Form) -> str:
    """The length that was chosen or written, empty for without end.

    Raises:
        BadInput: another one was chosen, and none written.
    """
    if form.values["for"] != OTHER:
        return form.values["for"]
    if not form.values["other"].strip():
        raise BadInput(
            "the lifetime is empty", fix="write for example 12h, or choose Open", field="for"
        )
    return form.values["other"]


def field_names(form: Form) -> dict[str, str]:
    """A refused lifetime stands beside the field it was written in."""
    return {"target": "targets", "expires": "for"} | (
        {"for": "other"} if form.values["for"] == OTHER else {}
    )
