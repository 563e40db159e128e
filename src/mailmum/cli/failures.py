"""How a command fails: `mailmum: problem; fix` on standard error, exit status 1.

With `--json` standard output carries the same as an object, in the form of the API's errors, so
that a script finds exactly one JSON document there whatever happened.
"""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

import click

from mailmum.cli.visible import visible

_ITEMS_SHOWN = 50


class Failure(click.ClickException):
    """A command was refused or failed.

    Args:
        problem: what is wrong and why, one sentence without a full stop.
        fix: the likely remedy; may be empty.
        code: the word that scripts may test for.
        field: the input at fault, where it is a single one.
        items: the API's refusals of single targets.
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        fix: str = "",
        *,
        code: str = "failed",
        field: str = "",
        items: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix
        self.code = code
        self.field = field
        self.items = items
        self.midway = False
        """Whether output had begun, so that nothing sensible can follow on standard output."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, and when several targets are at fault each with its reason."""
        click.echo(f"mailmum: {visible(self.message)}", file=file, err=file is None)
        # A single one is told by the message itself.
        for item in self.items[:_ITEMS_SHOWN] if len(self.items) > 1 else ():
            reason = "; ".join(str(item[word]) for word in ("problem", "fix") if item.get(word))
            line = f"mailmum: {item.get('target', '')}: {reason}"
            click.echo(visible(line), file=file, err=file is None)
        if len(self.items) > _ITEMS_SHOWN:
            rest = len(self.items) - _ITEMS_SHOWN
            click.echo(f"mailmum: and {rest} more; --json has all", file=file, err=file is None)

    def as_json(self) -> str:
        """The same as the API tells it."""
        error = {
            "code": self.code,
            "message": self.message,
            "problem": self.problem,
            "fix": self.fix,
            "field": self.field,
            "items": list(self.items),
        }
        return json.dumps({"error": error}, indent=2)
