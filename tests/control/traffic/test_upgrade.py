"""A data folder of an earlier version opens after the upgrade, with all that it holds."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import ROOT
from tests.support.service import make_service

BEFORE = """
import sys
from pathlib import Path
from django.core.management import call_command
from mailmum.control import config, prepare
parameters = config.current()
prepare.folder(parameters.data)
for path in (parameters.sqlite_path, parameters.traffic_path):
    path.touch()
prepare.set_up_django()
for app, name in (("accounts", "0001"), ("traffic", "0001")):
    for alias in ("default", "traffic"):
        call_command("migrate", app, name, database=alias, verbosity=0)
"""


def test_an_earlier_folder_is_upgraded(tmp_path: Path) -> None:
    """Accounts get the usual terms; what was counted stays; sightings can be kept."""
    made = make_service(tmp_path, sqlite=True)
    environment = dict(made.environment) | {"MAILMUM_DATA": str(made.data), "PYTHONPATH": str(ROOT)}

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run(BEFORE)
    with sqlite3.connect(made.data / "mailmum.sqlite3") as rules:
        rules.execute(
            "INSERT INTO accounts_account (name, created, ttl, key_keep, contact, suspended)"
            " VALUES ('old', '2026-01-01', 30, 60, 'a@example.net', 0)"
        )
    with sqlite3.connect(made.data / "traffic.sqlite3") as traffic:
        traffic.execute("INSERT INTO traffic_serveruse VALUES (7, 100, 5, 1, 1700000000)")
    for connection in (rules, traffic):
        connection.close()
    assert run(AFTER) == "old 30 Terms 100 1 no-rowid"


AFTER = """
from mailmum.control import config, prepare
prepare.set_up_django()
prepare.database(config.current())
from mailmum.control.accounts.models import Account
from mailmum.control.traffic.find import find
from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.models import ServerUse
from mailmum.control.traffic.reading import Wanted
from mailmum.traffic.sightings import Source
from mailmum.traffic.terms import Terms
from tests.control.traffic.kit import Batch, seen
from django.db import connections
account = Account.objects.get()
keep(account.pk, 7, Source.LOG, Batch([seen()]))
assert account.terms == Terms()
with connections["traffic"].cursor() as cursor:
    cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'traffic_clientday'")
    clustered = "WITHOUT ROWID" in cursor.fetchone()[0]
print(account.name, account.ttl, "Terms", ServerUse.objects.get().queries,
      len(find(account.pk, Wanted()).found), "no-rowid" if clustered else "rowid")
"""
