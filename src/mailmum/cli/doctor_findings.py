"""A finding of the doctor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding: what was looked at, `ok`, `warn` or `fail`, what it is, and how to mend it."""

    name: str
    state: str
    message: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """In the form of the API."""
        return {
            "name": self.name,
            "state": self.state,
            "message": self.message,
            "fix": self.fix,
        }


def ok(name: str, message: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", message)


def warn(name: str, message: str, fix: str) -> Finding:
    """Worth mending, but mail is filtered."""
    return Finding(name, "warn", message, fix)


def fail(name: str, message: str, fix: str) -> Finding:
    """Something does not work."""
    return Finding(name, "fail", message, fix)
