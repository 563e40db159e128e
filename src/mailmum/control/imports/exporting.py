"""Export: listings as the files of other programs, streamed."""

import time
from collections.abc import Iterator

from django.db.models import Q, QuerySet

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.listings.values import scope_name, to_listing
from mailmum.control.servers.answers import Answers, answers_of
from mailmum.control.servers.queries import find_server, names_of_servers
from mailmum.domain.listings import WHOLE_ACCOUNT, Action
from mailmum.domain.targets import NetworkTarget, mapped
from mailmum.formats.registry import find_format
from mailmum.formats.rows import ExportRow, WriteOptions, ZoneHead

_BY_TARGET = ("first", "-last", "pk")


def export(
    reading: Reading,
    name: str,
    *,
    server: str | None = None,
    action: Action = Action.BLOCK,
    among: QuerySet[Version] | None = None,
) -> Iterator[str]:
    """The listings of an account, or those that hold for one server.

    Args:
        reading: proof that the asker may read.
        name: the format.
        server: a server's name; None: all scopes, where the format can tell them apart.
        action: which list to write in a format that holds only one.
        among: listings of the account to keep to; all when None.

    Raises:
        BadInput: unknown format, or one that needs a server to be named.
        NotFound: no such server.
    """
    chosen = find_format(name)
    parameters = config.current()
    found = current(reading) if among is None else among.filter(account=reading.account, until=None)
    answers = Answers(reading.account.ttl, reading.account.code)
    if server:
        named = find_server(reading, server)
        answers = answers_of(named)
        found = found.filter(scope__in=[WHOLE_ACCOUNT, named.pk])
    elif chosen.of_one_server:
        found = found.filter(scope=WHOLE_ACCOUNT)
    servers = names_of_servers(reading)
    rows = (_row(version, servers) for version in _in_order(found))
    options = WriteOptions(
        action=action,
        now=time.time(),
        account_code=answers.code,
        head=ZoneHead(
            parameters.ns_names,
            _contact(parameters.hostmaster or f"hostmaster@{parameters.zone}"),
            answers.ttl or reading.account.ttl,
        ),
        presorted=True,
    )
    return chosen.write(rows, options)


def _in_order(found: QuerySet[Version]) -> Iterator[Version]:
    """IPv4, IPv6, names; networks before what lies in them, as writers want to have them."""
    first, last = (value.to_bytes(16, "big") for value in mapped(NetworkTarget(4, 0, 0)))
    is_four = Q(first__gte=first, last__lte=last)
    is_six = Q(first__lt=first) | Q(last__gt=last)
    for wanted, order in ((is_four, _BY_TARGET), (is_six, _BY_TARGET), (Q(first=None), ("pk",))):
        yield from found.filter(wanted).order_by(*order).iterator()


def _contact(email: str) -> str:
    """A mail address as a name in the DNS (RFC 1035 section 8)."""
    local, _, domain = email.rpartition("@")
    return local.replace(".", "\\.") + f".{domain}"


def _row(version: Version, servers: dict[int, str]) -> ExportRow:
    return ExportRow(
        to_listing(version),
        scope_name(version.scope, servers),
        version.note,
        int(version.created.timestamp()),
    )
