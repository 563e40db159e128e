"""What a Postfix says of its own configuration, read from the output of `postconf`.

Four outputs tell all that a merge needs: `-n` what main.cf sets, `-d` the defaults, `-M` the
services of master.cf, `-P` the parameters that those override.  Whoever runs the commands (the
command line, a test) hands the text over; nothing here touches a file.

    >>> current = Current.read({"explicit": "myhostname = mx1.example", "defaults": "", "services":
    ...                         "smtp inet n - y - 1 postscreen", "overrides": ""})
    >>> current.value("myhostname"), current.has_postscreen
    ('mx1.example', True)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

QUESTIONS: Mapping[str, str] = {
    "explicit": "-n",
    "defaults": "-d",
    "services": "-M",
    "overrides": "-P",
}
"""Which option of `postconf` gives which text that `Current.read` takes."""

REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))", re.ASCII)
"""How a value refers to a parameter, whose name is the one group that matches."""

_DEEPEST = 8
_SETTING = re.compile(r"([^\s=]+) =(?: (.*))?")


@dataclass(frozen=True, slots=True)
class Override:
    """A parameter that one service of master.cf sets for itself.

    Attributes:
        service: name and type as `postconf -P` writes them, `submission/inet` for example.
        parameter: the parameter.
        value: its value for that service.
    """

    service: str
    parameter: str
    value: str


@dataclass(frozen=True, slots=True)
class Current:
    """The configuration that stands.

    Attributes:
        explicit: what main.cf sets; `$name` is not expanded.
        defaults: what holds where main.cf is silent.
        services: lines of master.cf, one a service.
        overrides: parameters that services set for themselves.
    """

    explicit: Mapping[str, str]
    defaults: Mapping[str, str]
    services: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()

    @classmethod
    def read(cls, outputs: Mapping[str, str]) -> "Current":
        """From the outputs of `postconf`, keyed as in `QUESTIONS`."""
        return cls(
            explicit=_settings(outputs["explicit"]),
            defaults=_settings(outputs["defaults"]),
            services=tuple(line for line in outputs["services"].splitlines() if line.strip()),
            overrides=tuple(_overrides(_settings(outputs["overrides"]))),
        )

    def value(self, name: str) -> str:
        """What holds for a parameter, `$name` not expanded; empty when nothing is known."""
        return self.explicit.get(name, self.defaults.get(name, ""))

    def expanded(self, text: str, depth: int = 0) -> str:
        """A text with the values of the parameters that it refers to."""
        if depth == _DEEPEST or "$" not in text:
            return text
        whole = REFERENCE.sub(lambda one: self.value(next(filter(None, one.groups()))), text)
        return self.expanded(whole, depth + 1)

    def says_no(self, name: str) -> bool:
        """Whether a yes-or-no parameter is set to no."""
        return self.value(name).strip().lower() == "no"

    @property
    def version(self) -> tuple[int, int] | None:
        """Major and minor version, None when it is not told."""
        found = re.match(r"(\d+)\.(\d+)", self.value("mail_version"))
        return None if found is None else (int(found[1]), int(found[2]))

    @property
    def has_postscreen(self) -> bool:
        """Whether a service of master.cf is postscreen."""
        return any(line.split()[7:8] == ["postscreen"] for line in self.services)


def _settings(text: str) -> dict[str, str]:
    found = (_SETTING.fullmatch(line) for line in text.splitlines())
    return {match[1]: (match[2] or "").strip() for match in found if match is not None}


def _overrides(settings: Mapping[str, str]) -> list[Override]:
    parted = ((name.rpartition("/"), value) for name, value in settings.items())
    return [Override(service, parameter, value) for (service, _, parameter), value in parted]
