"""The collector, composed: which logs, whose they are, where sightings go."""

import os

from django.db import DatabaseError, connections

from mailmum.control.accounts.models import Account
from mailmum.control.config import MACHINE_ZONE, Config
from mailmum.control.servers.models import Server
from mailmum.control.traffic import intake
from mailmum.daemons import collector, collector_status
from mailmum.daemons.collector import CollectorOptions
from mailmum.daemons.collector_store import Destination, OutOfStep, Stood
from mailmum.daemons.descriptors import with_cause
from mailmum.daemons.supervisor_ready import tell_ready
from mailmum.daemons.tailing_sources import WantedLog, parse_logs
from mailmum.daemons.zones import local_zone, named_zone
from mailmum.domain.errors import Conflict, NotFound
from mailmum.domain.texts import shown
from mailmum.index.records import SourceUnavailable
from mailmum.postfix.log.reader import Found
from mailmum.traffic.sightings import Source


class TrafficStore:
    """The database of traffic, as the collector sees it."""

    def destination(self, wanted: WantedLog) -> Destination:
        """Whose log it is.

        Raises:
            NotFound: there is no such server.
            Conflict: there are several that could be meant.
            SourceUnavailable: the database is away.
        """
        try:
            return _destination(wanted)
        except DatabaseError as error:
            connections["default"].close()
            raise SourceUnavailable(with_cause(str(error).strip())) from error

    def stands(self, to: Destination, stream: str) -> Stood | None:
        """Where a stream stands."""
        mark = intake.mark_of(to.server, stream)
        return None if mark is None else Stood(mark.position, mark.state)

    def keep(
        self, to: Destination, stream: str, found: Found, stood: Stood, after: str | None
    ) -> None:
        """Keep what was found."""
        mark = intake.Mark(to.server, stream, stood.position, stood.state)
        try:
            intake.keep(to.account, to.server, Source.LOG, found, mark=mark, after=after)
        except intake.OutOfStep as error:
            raise OutOfStep(str(error)) from error


def follow(parameters: Config) -> None:
    """Follow logs until told to stop."""
    collector.run(parse_logs(parameters.logs), TrafficStore(), options(parameters), ready=_ready)


def options(parameters: Config) -> CollectorOptions:
    """The collector's parameters from the installation's."""
    machine = {"TZ": os.environ.get(MACHINE_ZONE, "")}
    zone = named_zone(parameters.log_zone) or local_zone(machine)
    return CollectorOptions(status=parameters.data / collector_status.NAME, zone=zone)


def _destination(wanted: WantedLog) -> Destination:
    account = _account(wanted)
    servers = Server.objects.filter(account=account, removed=None)
    if wanted.server:
        servers = servers.filter(name=wanted.server)
    found = list(servers.values_list("pk", flat=True)[:2])
    if not found:
        missing = f"no server {wanted.server}" if wanted.server else "no server yet"
        raise NotFound(
            f"account {account.name} has {missing}, so {wanted.source} is not read",
            fix=f"add it: mailmum server add {wanted.server or 'NAME'}",
        )
    if len(found) > 1:
        raise Conflict(
            f"account {account.name} has several servers, so {wanted.source} is not read",
            fix=f"say whose log it is: SERVER={wanted.source}",
        )
    return Destination(account.pk, found[0])


def _account(wanted: WantedLog) -> Account:
    """The account that is named, else the first one, which is the operator's.

    Never another that happens to have a server of that name: a tenant could name one so, and would
    be given the log of this machine.
    """
    accounts = Account.objects.order_by("pk")
    if wanted.account:
        accounts = accounts.filter(name=wanted.account)
    account = accounts.first()
    if account is None:
        missing = f"no account {shown(wanted.account)}" if wanted.account else "no account yet"
        raise NotFound(
            f"there is {missing}, so {wanted.source} is not read", fix="see: mailmum account list"
        )
    return account


def _ready() -> None:
    tell_ready()
