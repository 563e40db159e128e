"""What every verb shares: `--data` and `--json`, before the verb or after it, and the service."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mailmum.cli.client import Client

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """The common options of one call; what stands nearer to the verb counts.

    Attributes:
        data: the data folder that was named, or None.
        as_json: whether standard output is for a program.
    """

    data: Path | None = None
    as_json: bool = False

    def client(self) -> "Client":
        """A client of the service.

        Raises:
            Failure: it is not known where the service is.
        """
        import os

        from mailmum.cli.client import Client
        from mailmum.cli.locate import find_service

        return Client(find_service(self.data, os.environ, Path.cwd()))


pass_session = click.make_pass_decorator(Session, ensure=True)


def together(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Several options as one, in the order in which help shows them."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def common(command: _Command) -> _Command:
    """Add the options that every verb takes."""
    data = click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="DIR",
        expose_value=False,
        callback=_keep_data,
        help="Data folder of the service (or MAILMUM_DATA, or MAILMUM_URL and MAILMUM_TOKEN).",
    )
    as_json = click.option(
        "--json",
        "as_json",
        is_flag=True,
        expose_value=False,
        callback=_keep_json,
        help="Print JSON.",
    )
    return data(as_json(command))


def _keep_data(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    session = context.ensure_object(Session)
    if value is not None:
        session.data = value


def _keep_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    session = context.ensure_object(Session)
    session.as_json = session.as_json or value
