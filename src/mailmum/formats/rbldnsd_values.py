"""Values of rbldnsd's data files: A records, TXT templates and what stands for what in them.

A value is `:A:TXT`, `:A` or `TXT` (rbldnsd(8), "Resulting A values and TXT templates").  In a
template `$` is the client's address or the listed name, `$$` a dollar sign, `$0` to `$9` are
variables; a base template `$=` wraps all others unless they begin with `=`.  MailMum's reasons hold
no templates, so they are filled in here, with the target of the entry for `$`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mailmum.domain.codes import parse_code
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import Target
from mailmum.domain.texts import REASON_LIMIT, clean_line, shown

TEXT_LIMIT = 254
"""rbldnsd cuts every TXT record to so many bytes."""

BASE = "="
_A = re.compile(r":([0-9]{1,10}(?:\.[0-9]{1,10}){0,3})[ \t]*(?=:|$)", re.ASCII)
_PLACE = re.compile(r"\$([$=0-9]?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Value:
    """What an entry answers.

    Attributes:
        code: the A record as a 32-bit integer, None when the file does not say.
        template: the TXT template, empty for none.
    """

    code: int | None = None
    template: str = ""


NO_VALUE = Value()


def parse_value(text: str, default: Value) -> Value:
    """Read a value; what it leaves out comes from the default.

    Raises:
        BadInput: the A record is none, or one that MailMum cannot answer.
    """
    if not text.startswith(":"):
        return Value(default.code, text)
    found = _A.match(text)
    if found is None:
        raise BadInput(
            f"{shown(text)} is no value: an address such as 127.0.0.2, or its last number, "
            "is expected behind the colon"
        )
    rest = text[found.end() :]
    template = rest[1:].strip(" \t") if rest else default.template
    return Value(_code(found[1]), template)


def template_of(text: str) -> str:
    """The TXT template alone of a value whose A record is refused."""
    return text[1:].partition(":")[2].strip(" \t")


def fill(template: str, target: Target, variables: Mapping[str, str]) -> str:
    """The text of a template for one entry, cut as rbldnsd cuts it.

    Raises:
        BadInput: the text cannot be a reason (a control character).
    """
    if not variables and "$" not in template:
        return _reason(template.removeprefix(BASE))
    own, used, subject = template, template, target.text.lstrip(".")
    if template.startswith(BASE):
        own = used = template[1:]
    elif BASE in variables:
        own, used = template or subject, variables[BASE]
    if "$" in used:
        used = _substituted(used, own, subject, variables)
    return _reason(used)


def names_subject(template: str, variables: Mapping[str, str]) -> bool:
    """Whether the text of a template depends on the client's address."""
    used = template if template.startswith(BASE) else variables.get(BASE, template)
    return any(found[1] == "" for found in _PLACE.finditer(used))


def template_from(reason: str) -> str:
    """The template that gives a reason as it stands, cut where rbldnsd would cut it."""
    template = ("=" if reason.startswith(BASE) else "") + reason.replace("$", "$$")
    # Both the template and what it gives are bounded.  A cut may not part two dollar signs.
    while len(template.encode()) > TEXT_LIMIT:
        template = template[:-2] if template.endswith("$$") else template[:-1]
    return template.rstrip()


def _reason(text: str) -> str:
    cut = text.replace("\t", " ").encode()[:TEXT_LIMIT].decode(errors="ignore")
    return clean_line(cut, field="reason", limit=REASON_LIMIT)


# A million lines may each name one of a few codes.
@lru_cache(maxsize=256)
def _code(text: str) -> int:
    return parse_code(_dotted(text))


def _dotted(text: str) -> str:
    """The four octets of an abbreviated address: the last number is the host part."""
    numbers = [str(int(part)) for part in text.split(".")]
    if len(numbers) == 1 and numbers[0] != "0":
        return f"127.0.0.{numbers[0]}"
    missing = ["0"] * (4 - len(numbers))
    return ".".join([*numbers[:-1], *missing, numbers[-1]])


def _substituted(template: str, own: str, subject: str, variables: Mapping[str, str]) -> str:
    parts: list[str] = []
    size = position = 0
    # A variable named many times could grow without bound, and all behind the limit is cut anyway.
    for found in _PLACE.finditer(template):
        before = template[position : found.start()]
        parts += [before, _place(found[1], own, subject, variables)]
        size += len(parts[-1]) + len(parts[-2])
        position = found.end()
        if size > TEXT_LIMIT:
            return "".join(parts)
    return "".join(parts) + template[position:]


def _place(mark: str, own: str, subject: str, variables: Mapping[str, str]) -> str:
    if mark == "$":
        return "$"
    if mark == BASE:
        return own
    return variables.get(mark, f"${mark}") if mark else subject
