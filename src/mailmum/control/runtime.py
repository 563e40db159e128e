"""Composing the parts: what `mailmum up` and the commands of each part run.

The daemons know neither Django nor where their data lies; they are handed a listing source and a
sink for counts here.  Every function takes the options of the command line and raises `Refusal`
with cause and fix when it cannot start; those that run a part end the process when it has stopped.
"""

import gc
import os
import sys
from contextlib import suppress
from typing import Any

import structlog

from mailmum.control import config, logs, prepare
from mailmum.control.config import Config, Overrides
from mailmum.control.garbage import uncollected
from mailmum.daemons.ending import end_process
from mailmum.domain.errors import NeedsConfirmation, NotFound

log = structlog.get_logger()


def up(overrides: Overrides, *, demo: bool = False) -> None:
    """Run everything until told to stop, and end this process.

    With `demo` on an empty folder it is filled with a made-up week, and pages say so from then on.

    With the database away but a snapshot in the folder, DNS and the policy service answer from that
    all the same: a machine that starts again while its database does not must go on protecting mail
    servers.
    """
    from mailmum.control.parts import parts
    from mailmum.daemons.supervisor import supervise

    with uncollected():
        parameters, link = _start(overrides, "up"), None
    try:
        link, missing = _make_ready(parameters, demo=demo)
        if missing is not None:
            # To answer mail servers it is not needed.
            log.warning("traffic away", reason=str(missing), consequence="triggers list nobody")
    except prepare.DatabaseAway as away:
        if not parameters.snapshot_path.exists():
            raise
        log.warning("database away", reason=str(away), consequence="answering from the snapshot")
    _close_connections()
    _settle()

    def announce() -> None:
        if link is not None:
            _say(_sign_in_line(parameters, link))
        _say(
            f"ready: pages {parameters.base_url} · DNS {parameters.dns} (UDP and TCP) · "
            f"policy {parameters.policy} · zone {parameters.zone} · data {parameters.data}"
            + (f" · logs {parameters.logs}" if parameters.logs else "")
        )

    supervise(parts(parameters), on_ready=announce)
    end_process()


def run_part(name: str, overrides: Overrides) -> None:
    """Run one part alone, for a service manager; on a folder that is there for it."""
    prepare.expect_folder(config.use(overrides))
    parameters = _start(overrides, name)
    from mailmum.control.parts import run

    run(name, parameters)
    end_process()


def migrate(overrides: Overrides) -> None:
    """Make or upgrade the database, and nothing else."""
    parameters = _start(overrides, "migrate")
    link, missing = _make_ready(parameters)
    if link is not None:
        _say(_sign_in_line(parameters, link))
    if missing is not None:
        raise missing
    _say("the database is up to date")


def account_add(overrides: Overrides, name: str, owner_email: str, *, known: bool = False) -> str:
    """Add an account; the link with which its owner signs in.

    Raises:
        NeedsConfirmation: somebody of this address is here already, and that is not `known`.
    """
    parameters = _start_on_accounts(overrides)
    from mailmum.control.accounts.queries import account_names
    from mailmum.control.accounts.services import clean_email, create_account

    names = [] if known else account_names(clean_email(owner_email))
    if names:
        raise NeedsConfirmation(
            f"{owner_email.strip()} is in {', '.join(names)} already, let in by whoever owns that",
            fix="make sure that this is the person you mean, then add --known",
            field="owner",
        )
    create_account(name, owner_email)
    return _link(parameters, clean_email(owner_email))


def account_list(overrides: Overrides) -> list[dict[str, Any]]:
    """All accounts with their people."""
    _start_on_accounts(overrides)
    from mailmum.control.accounts.models import Account

    return [
        {
            "name": account.name,
            "people": [
                {"email": one.person.email, "role": one.role}
                for one in account.memberships.select_related("person").order_by("since")
            ],
            "servers": account.servers.filter(removed=None).count(),
        }
        for account in Account.objects.order_by("name")
    ]


def sign_in_link(overrides: Overrides, email: str) -> str:
    """A new one-time link for somebody who has lost the way in; their password ends."""
    parameters = _start_on_accounts(overrides)
    from mailmum.control.accounts.services import renew_sign_in

    return _address(parameters, renew_sign_in(_person(email)))


def token_add(
    overrides: Overrides,
    email: str,
    account: str,
    name: str,
    *,
    scope: str,
    lifetime: int | None,
    server: str = "",
) -> str:
    """A token for a person in an account: of scope read or write, or ship for one server's logs."""
    _start_on_accounts(overrides)
    from mailmum.control.accounts.access import access
    from mailmum.control.accounts.services import add_token
    from mailmum.control.servers.services import add_shipping_token

    granted = access(_person(email), account, via="command line")
    if scope == "ship":
        return add_shipping_token(granted, server, name, lifetime=lifetime).secret
    return add_token(granted, name, writes=scope == "write", lifetime=lifetime).secret


def _make_ready(
    parameters: Config, *, demo: bool = False
) -> tuple[str | None, prepare.TrafficAway | None]:
    """Database, first account, credential.

    Returns:
        The first owner's link, when the account is new; and what is wrong where only the database
        of traffic cannot be used.
    """
    missing = None
    if demo:
        from mailmum.control.demo.fill import fill, mark

        mark(parameters)
        prepare.database(parameters)
        link = fill()
    else:
        try:
            prepare.database(parameters)
        except prepare.TrafficAway as away:
            missing = away
        link = prepare.first_account(parameters)
    prepare.credential(parameters)
    prepare.static_files(parameters)
    return link, missing


def _start(overrides: Overrides, part: str) -> Config:
    # Django sets TZ for itself, and so for the parts that are started from here.
    os.environ.setdefault(config.MACHINE_ZONE, os.environ.get("TZ", ""))
    parameters = config.use(overrides)
    # Passwords, uploads and databases belong to the user who runs this, whatever the umask says.
    os.umask(0o077)
    prepare.folder(parameters.data)
    config.write_file(parameters)
    logs.set_up(parameters, part)
    prepare.set_up_django()
    return parameters


def _start_on_accounts(overrides: Overrides) -> Config:
    parameters = _start(overrides, "account")
    prepare.expect_database(parameters)
    return parameters


def _sign_in_line(parameters: Config, secret: str) -> str:
    return f"Sign in once with {parameters.base_url}/enter/{secret}/ (within 24 hours)"


def _link(parameters: Config, email: str) -> str:
    from mailmum.control.accounts.services import add_sign_in_link

    return _address(parameters, add_sign_in_link(_person(email)))


def _address(parameters: Config, secret: str) -> str:
    return f"{parameters.base_url}/enter/{secret}/"


def _person(email: str) -> Any:
    from mailmum.control.accounts.models import User

    found = User.objects.filter(email=email.strip().lower()).first()
    if found is None:
        raise NotFound(
            f"nobody signs in as {email.strip()}", fix="see: mailmum account list", field="email"
        )
    return found


def _close_connections() -> None:
    # The supervisor lives for months and asks the database nothing more.
    from django.db import connections

    connections.close_all()


def _settle() -> None:
    """Take what is there out of the search for garbage, which would copy it into each fork."""
    gc.collect()
    gc.freeze()


def _say(line: str) -> None:
    # Whoever should read it may be gone, or the disk full: no reason not to answer mail servers.
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
