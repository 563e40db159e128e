"""Commands that run in this process, on a data folder: the service, its parts, its accounts.

The only module of the command line that reaches the control plane, and it does so inside its
functions: naming a verb must not load Django.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from mailmum.cli.failures import Failure
from mailmum.cli.locate import CREDENTIAL
from mailmum.cli.output import print_json, print_json_list, print_rows, say
from mailmum.cli.session import Session, common, pass_session, together

if TYPE_CHECKING:
    from mailmum.control.config import Overrides

_PARAMETERS = "mailmum.toml"


_service_options = together(
    click.option("--zone", metavar="BASE", help="Base of all zones; mailmum.internal."),
    click.option("--web", metavar="HOST:PORT", help="Pages and API; 127.0.0.1:8053."),
    click.option(
        "--dns",
        metavar="HOST:PORT",
        multiple=True,
        help="DNS over UDP and TCP, more than once for more; 127.0.0.1:5300.",
    ),
    click.option("--dns-workers", type=int, metavar="N", help="DNS processes; 1."),
    click.option("--policy", metavar="HOST:PORT", help="Policy service; 127.0.0.1:10053."),
    click.option(
        "--log",
        "logs",
        metavar="SERVER=PATH",
        multiple=True,
        help="Mail log to follow, or SERVER=journal; more than once for more.",
    ),
    common,
)


def _part(name: str, short_help: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        return click.command(name, short_help=short_help)(_service_options(pass_session(function)))

    return decorate


@click.option(
    "--demo", is_flag=True, help="Fill an empty folder with a made-up week, to look around."
)
@_part("up", "Run the whole service.")
def up(session: Session, *, demo: bool, **options: Any) -> None:
    """Run the whole service: pages, API, DNS and policy service.

    An empty data folder gets a database, an account with its owner, and a credential for this
    command; a one-time link to sign in is printed. A line that begins with `ready` follows when
    every part answers. Whatever is an option here can also stand in the data folder's mailmum.toml,
    or in the environment as MAILMUM_ZONE, MAILMUM_WEB and so on.
    """
    from mailmum.control.garbage import uncollected

    with uncollected():
        from mailmum.control import runtime

    runtime.up(_overrides(session, options), demo=demo)


@_part("web", "Run only pages and API.")
def web(session: Session, **options: Any) -> None:
    """Run only pages and API, for a service manager."""
    from mailmum.control import runtime

    runtime.run_part("web", _overrides(session, options))


@_part("dns", "Run only the DNS server.")
def dns(session: Session, **options: Any) -> None:
    """Run only the DNS server, for a service manager."""
    from mailmum.control import runtime

    runtime.run_part("dns", _overrides(session, options))


@_part("policy", "Run only the policy service.")
def policy(session: Session, **options: Any) -> None:
    """Run only the policy service for Postfix, for a service manager."""
    from mailmum.control import runtime

    runtime.run_part("policy", _overrides(session, options))


@_part("collect", "Run only what follows mail logs.")
def collect(session: Session, **options: Any) -> None:
    """Run only what follows mail logs, for a service manager."""
    from mailmum.control import runtime

    runtime.run_part("collect", _overrides(session, options))


@_part("worker", "Run only the worker.")
def worker(session: Session, **options: Any) -> None:
    """Run only the worker, for a service manager: it ranks offenders and removes old traffic."""
    from mailmum.control import runtime

    runtime.run_part("worker", _overrides(session, options))


@_part("migrate", "Make or upgrade the database, then end.")
def migrate(session: Session, **options: Any) -> None:
    """Make or upgrade the database, then end."""
    from mailmum.control import runtime

    runtime.migrate(_overrides(session, options))


@click.group(short_help="Add accounts, sign-in links and tokens.")
@common
def account() -> None:
    """Add accounts, sign-in links and tokens.

    These work on the data folder itself, for the operator of the service.
    """


@account.command("add")
@click.argument("name")
@click.option("--owner", metavar="EMAIL", required=True, help="Who owns it.")
@click.option("--known", is_flag=True, help="You know whoever is here under this address already.")
@common
@pass_session
def account_add(session: Session, name: str, owner: str, known: bool) -> None:
    """Add an account and print the link with which its owner signs in."""
    from mailmum.control import runtime

    link = runtime.account_add(_existing(session), name, owner, known=known)
    _print_link(session, {"account": name, "owner": owner, "link": link})


@account.command("list")
@common
@pass_session
def account_list(session: Session) -> None:
    """List accounts with their people."""
    from mailmum.control import runtime

    found = runtime.account_list(_existing(session))
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [
            one["name"],
            ", ".join(f"{person['email']} ({person['role']})" for person in one["people"]),
            str(one["servers"]),
        ]
        for one in found
    )
    print_rows(("Account", "People", "Servers"), rows, none="there is no account")


@account.command("link")
@click.argument("email")
@common
@pass_session
def account_link(session: Session, email: str) -> None:
    """Print a new one-time link for somebody who has lost the way in; their password ends."""
    from mailmum.control import runtime

    link = runtime.sign_in_link(_existing(session), email)
    _print_link(session, {"owner": email, "link": link})


@account.command("token")
@click.argument("email")
@click.option("--account", "account_name", metavar="NAME", required=True, help="In which account.")
@click.option("--name", metavar="TEXT", required=True, help="What the token is for.")
@click.option(
    "--scope", type=click.Choice(["read", "write", "ship"]), default="read", show_default=True
)
@click.option(
    "--server", metavar="NAME", default="", help="Whose logs a token of scope ship takes."
)
@click.option(
    "--for", "lifetime", metavar="90d", default="90d", show_default=True, help="Or never."
)
@common
@pass_session
def account_token(session: Session, /, email: str, account_name: str, **options: str) -> None:
    """Make a token for a person and print it, this once."""
    from mailmum.control import runtime
    from mailmum.domain.lifetimes import parse_lifetime

    lifetime = options["lifetime"]
    token = runtime.token_add(
        _existing(session),
        email,
        account_name,
        options["name"],
        scope=options["scope"],
        lifetime=None if lifetime == "never" else parse_lifetime(lifetime),
        server=options["server"],
    )
    if session.as_json:
        print_json({"token": token})
    else:
        say(token)


def _print_link(session: Session, made: dict[str, str]) -> None:
    if session.as_json:
        print_json(made)
    else:
        say(f"sign in once with {made['link']} (within 24 hours)")


def _folder(session: Session) -> Path:
    return session.data or Path(os.environ.get("MAILMUM_DATA") or "data")


def _overrides(session: Session, options: dict[str, Any]) -> "Overrides":
    from mailmum.control.config import Overrides

    return Overrides(
        data=_folder(session),
        zone=options["zone"],
        web=options["web"],
        dns=options["dns"] or None,
        policy=options["policy"],
        logs=tuple(_absolute(one) for one in options["logs"]) or None,
        dns_workers=options["dns_workers"],
        log_format="json" if session.as_json else None,
    )


def _absolute(wanted: str) -> str:
    """A log with its path from the root: it is followed from another folder perhaps."""
    owner, equals, source = wanted.partition("=")
    if not equals or owner.startswith("/"):
        owner, equals, source = "", "", wanted
    if source.partition(":")[0] == "journal" or Path(source).is_absolute():
        return wanted
    return f"{owner}{equals}{Path(source).absolute()}"


def _existing(session: Session) -> "Overrides":
    from mailmum.control.config import Overrides

    folder = _folder(session)
    # Without this a mistyped path would become a new, empty service.
    if not (folder / _PARAMETERS).exists():
        raise Failure(
            f"no service was ever started on {folder}",
            f"name its data folder with --data DIR, or start one: mailmum up --data {folder}",
            code="no-service",
        )
    return Overrides(data=folder, web=_last_address(folder))


def _last_address(folder: Path) -> str | None:
    """Where the pages were served at the last start: links must lead there."""
    try:
        content = json.loads((folder / CREDENTIAL).read_text(encoding="utf-8"))
        url = urlsplit(str(content["url"]))
        return url.netloc if url.scheme == "http" and url.port else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
