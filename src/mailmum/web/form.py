"""What somebody typed into a form, and what is wrong with it.

The domain checks input, for web, API and command line alike; a form here only keeps what was typed
and puts each refusal beside the field it is about.  In templates `form.reason.value` and
`form.reason.faults`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.http import QueryDict

from mailmum.domain.errors import BadInput, Refusal, SeveralRefused
from mailmum.domain.texts import shown

FAULTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its value, and what is wrong with it."""

    name: str
    value: str
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class Form:
    """The fields of a form.

    Attributes:
        values: what stands in each field; fields that are not here are not the form's.
        faults: messages by field; under the empty name those about the form as a whole.
    """

    values: dict[str, str]
    faults: dict[str, list[str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Field:
        return Field(name, self.values[name], tuple(self.faults.get(name, ())))

    @property
    def valid(self) -> bool:
        """Whether nothing has been refused."""
        return not self.faults

    @property
    def general(self) -> list[str]:
        """What is wrong with the form as a whole."""
        return self.faults.get("", [])

    def filled(self, name: str) -> str | None:
        """The value of a field, None when it was left empty."""
        return self.values[name].strip() or None

    def lines(self, name: str) -> list[str]:
        """The lines of a field that are not empty."""
        return [line.strip() for line in self.values[name].splitlines() if line.strip()]

    def refuse(
        self, refusal: Refusal, *, names: Mapping[str, str] | None = None, otherwise: str = ""
    ) -> None:
        """Put a refusal, or each of several, beside its field.

        Args:
            refusal: what the domain says.
            names: fields here by the domain's name, where they differ.
            otherwise: the field for refusals about none, or about one that is not here.
        """
        each = [item for _, item in refusal.items] if isinstance(refusal, SeveralRefused) else []
        for one in each[:FAULTS_SHOWN] or [refusal]:
            name = (names or {}).get(one.field, one.field)
            place = name if name in self.values else otherwise
            self.faults.setdefault(place, []).append(str(one))
        if len(each) > FAULTS_SHOWN:
            more = f"and {len(each) - FAULTS_SHOWN:,} more are refused"
            self.faults.setdefault(otherwise, []).append(more)


def posted(data: QueryDict, *names: str) -> Form:
    """A form with what was sent; what was left out is empty."""
    return Form({name: data.get(name, "") for name in names})


def whole_number(text: str, field: str, unit: str, example: str) -> int:
    """A number that somebody typed.

    Raises:
        BadInput: it is none, or longer than any that is taken.
    """
    given = text.strip()
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise BadInput(
            f"{shown(text)} is not a number of {unit}",
            fix=f"write for example {example}",
            field=field,
        )
    return int(given)
