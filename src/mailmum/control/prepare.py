"""Making a data folder ready: the folder, the secret, the database, the first account.

Everything here may run again on a folder that is ready already, and then changes nothing.
"""

import json
import os
import sqlite3
from pathlib import Path

import django
from django.apps import apps
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from mailmum.control.config import FILE_NAME, Config
from mailmum.control.traffic.router import traffic_database
from mailmum.domain.errors import Refusal

CREDENTIAL = "cli.json"
FIRST_ACCOUNT = "main"
FIRST_OWNER = "owner@localhost"


class DatabaseAway(Refusal):
    """The database cannot be reached, or its file is gone."""

    code = "unavailable"


class TrafficAway(Refusal):
    """Only the database of traffic cannot be used; all that answers mail servers can."""

    code = "unavailable"


class NewerDatabase(Refusal):
    """A newer version of MailMum has made the database."""


def folder(path: Path) -> None:
    """Make the data folder, for its owner's eyes only.

    Raises:
        Refusal: it cannot be made or written to.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.write_bytes(b"")
        # Parts that start together look at the same time.
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(
            f"the data folder {path} cannot be written: {error.strerror}",
            fix="choose another with --data, or run as the user who owns it",
        ) from None


def expect_folder(parameters: Config) -> None:
    """See that a service was started on the data folder before; nothing is made.

    What a part finds in PostgreSQL it needs no folder for: that may be new.

    Raises:
        Refusal: it was not.
    """
    traces = (parameters.data / FILE_NAME, parameters.sqlite_path, parameters.snapshot_path)
    if parameters.database or any(path.exists() for path in traces):
        return
    missing = "there is no folder" if not parameters.data.is_dir() else "nothing is in the folder"
    raise Refusal(
        f"{missing} {parameters.data}, so no service was ever started on it",
        fix="check --data or MAILMUM_DATA; to make a new service there: "
        f"mailmum migrate --data {parameters.data}",
    )


def set_up_django() -> None:
    """Load Django with the parameters of this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailmum.control.settings")
    django.setup()


def database(parameters: Config) -> None:
    """Make or upgrade the tables.

    Raises:
        DatabaseAway: it cannot be reached, or it is missing from a folder that has been used.
        TrafficAway: all is ready but for the database of traffic.
        Refusal: a newer version of MailMum has made it, or it is damaged.
    """
    if not parameters.database:
        _refuse_lost(parameters)
        _create_sqlite(parameters.sqlite_path)
    _upgrade(parameters, DEFAULT_DB_ALIAS)
    if parameters.database:
        return
    try:
        _create_sqlite(parameters.traffic_path)
        _upgrade(parameters, traffic_database())
    except NewerDatabase:
        raise
    except Refusal as refusal:
        raise traffic_away(refusal.problem) from refusal


def traffic_away(problem: str) -> TrafficAway:
    """What is told of it; one that another program holds is not to be thrown away."""
    fix = (
        "restore it from a backup, or move traffic.sqlite3, its -wal and -shm away to begin anew; "
        "then start again"
    )
    if "is locked" in problem:
        fix = "another program writes to it: end that, then start again"
    return TrafficAway(problem, fix=fix)


def _upgrade(parameters: Config, alias: str) -> None:
    try:
        if not _is_up_to_date(alias):
            _refuse_newer(alias)
            call_command("migrate", database=alias, verbosity=0, interactive=False)
    except DatabaseError as error:
        raise _unreachable(parameters, error) from error


def expect_database(parameters: Config) -> None:
    """See that the tables of this version are there; nothing is made or changed.

    Raises:
        DatabaseAway: it cannot be reached, or it is missing.
        Refusal: it was never made, or another version of MailMum has made it.
    """
    if not parameters.database:
        _refuse_lost(parameters)
        for path in (parameters.sqlite_path, parameters.traffic_path):
            if not path.exists():
                raise Refusal(
                    f"{path} is not there: nothing was ever started here that makes it",
                    fix=f"make it with: mailmum migrate --data {parameters.data}",
                )
    try:
        for alias in connections:
            if not _is_up_to_date(alias):
                _refuse_newer(alias)
                raise Refusal(
                    "the database has not the tables of this version of MailMum",
                    fix=f"upgrade it with: mailmum migrate --data {parameters.data}",
                )
    except DatabaseError as error:
        raise _unreachable(parameters, error) from error


def first_account(parameters: Config) -> str | None:
    """Make the first account with its owner, when there is none.

    Returns:
        The secret of a one-time sign-in link for the owner; None when there was an account.
    """
    from mailmum.control.accounts.models import Account, User
    from mailmum.control.accounts.services import add_sign_in_link, create_account

    if Account.objects.exists():
        return None
    create_account(FIRST_ACCOUNT, FIRST_OWNER)
    return add_sign_in_link(User.objects.get(email=FIRST_OWNER))


def credential(parameters: Config) -> None:
    """Write the command line's credential into the data folder, mode 0600, when it has none."""
    from mailmum.control.accounts.access import access
    from mailmum.control.accounts.models import Membership, Role
    from mailmum.control.accounts.services import add_token

    path = parameters.data / CREDENTIAL
    url = f"http://{parameters.web}"
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known.get("url") != url:
            _write_private(path, {**known, "url": url})
        return
    owner = Membership.objects.filter(role=Role.OWNER).order_by("since", "id").first()
    if owner is None:
        raise Refusal("no account has an owner", fix="add one with: mailmum account add")
    granted = access(owner.person, owner.account_id, via="command line")
    made = add_token(granted, "command line", writes=True)
    _write_private(path, {"url": url, "token": made.secret})


def static_files(parameters: Config) -> None:
    """Gather the pages' styles and scripts where they are served from."""
    call_command("collectstatic", verbosity=0, interactive=False, clear=False)


def _refuse_lost(parameters: Config) -> None:
    # An empty database in its place would look like a start, with every listing and key gone.
    credential_left = (parameters.data / CREDENTIAL).exists()
    if credential_left and not parameters.sqlite_path.exists():
        raise DatabaseAway(
            f"{parameters.sqlite_path} is missing, though this folder has been in use",
            fix="restore it from a backup, or choose an empty folder with --data",
        )


def _create_sqlite(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(handle)
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA schema_version")
        connection.close()
    except sqlite3.DatabaseError as error:
        raise Refusal(
            f"{path} is not an SQLite database: {error}", fix="restore it from a backup"
        ) from None
    except OSError as error:
        raise Refusal(f"{path} cannot be opened: {error.strerror}", fix="check its owner") from None


def _is_up_to_date(alias: str) -> bool:
    """Whether just those migrations have been applied that there are, by their names.

    Nearly every start finds it so.  Django would find the same by putting all models together as
    they once were, which takes longer than the rest of a start.
    """
    there = {
        (app.label, file.stem)
        for app in apps.get_app_configs()
        for file in Path(app.path, "migrations").glob("[!_~]*.py")
    }
    ours = {app for app, _ in there}
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return bool(there) and there == {key for key in applied if key[0] in ours}


def _refuse_newer(alias: str) -> None:
    executor = MigrationExecutor(connections[alias])
    known = set(executor.loader.disk_migrations)
    ours = {app for app, _ in known}
    applied = {key for key in executor.loader.applied_migrations if key[0] in ours}
    if unknown := sorted(applied - known):
        raise NewerDatabase(
            f"the database was made by a newer MailMum (it has {'.'.join(unknown[0])})",
            fix="install that version or a later one; nothing was changed",
        )


def _unreachable(parameters: Config, error: DatabaseError) -> Refusal:
    if parameters.database:
        return DatabaseAway(
            f"PostgreSQL cannot be reached: {str(error).strip().splitlines()[0]}",
            fix="check that it runs and that MAILMUM_DATABASE names it",
        )
    return Refusal(f"the database cannot be used: {error}", fix="restore it from a backup")


def _write_private(path: Path, content: dict[str, str]) -> None:
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.write("\n")
    partial.replace(path)
