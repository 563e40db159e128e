"""Whose traffic: an account, and of it all servers or one."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.once import once
from mailmum.control.servers.queries import find_server, names_of_servers
from mailmum.control.traffic.models import Zone
from mailmum.traffic.groups import is_own


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be looked at, and is.

    Attributes:
        account: number of the account.
        names: of all servers that the account has or had, by number.
        server: number of the one server that is meant; None for all.
    """

    account: int
    names: Mapping[int, str]
    server: int | None = None

    @property
    def servers(self) -> frozenset[int] | None:
        """The numbers of the servers that are meant; None for all of the account."""
        return None if self.server is None else frozenset({self.server})

    @property
    def condition(self) -> Q:
        """That a row of traffic belongs to it."""
        meant = Q(account=self.account)
        return meant if self.server is None else meant & Q(server=self.server)

    def name(self, server: int) -> str:
        """The name of a server."""
        return self.names.get(server, f"server {server}")


def scope_of(reading: Reading, server: str | None = None) -> Scope:
    """What is meant by the name of a server, or by none.

    Raises:
        NotFound: the account has no such server.
    """
    number = find_server(reading, server).pk if server else None
    return Scope(reading.account.pk, names_of_servers(reading), number)


def zones_of(scope: Scope) -> dict[int, str]:
    """The names of the public lists of an account, by number; ours are among them."""
    return dict(_zones(scope.account))


@once
def _zones(account: int) -> list[tuple[int, str]]:
    return list(Zone.objects.filter(account=account).values_list("pk", "name"))


def own_zones(zones: Mapping[int, str]) -> frozenset[int]:
    """The numbers of those lists that are our own."""
    base = config.current().zone
    return frozenset(number for number, name in zones.items() if is_own(name, base))
