"""What the frame of every page of an account shows: where one is and where one can go.

Everything is looked up when a template asks for it, so pages without the frame pay nothing.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils import timezone

from mailmum.control import config
from mailmum.control.accounts.access import Owning, Reading, Writing
from mailmum.control.accounts.models import Account, User
from mailmum.control.accounts.queries import names_of_accounts
from mailmum.control.alerts.queries import unseen
from mailmum.control.demo import is_demo
from mailmum.control.requests.queries import count_open
from mailmum.control.servers.pauses import Pause, pauses_of
from mailmum.control.servers.queries import present_servers
from mailmum.control.suggestions.inbox import waiting
from mailmum.control.traffic import health
from mailmum.web.states import ServerState, states_of

SERVERS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class SideServer:
    """A server in the side bar."""

    name: str
    state: ServerState


class SideAccount(NamedTuple):
    """An account that one can go to."""

    pk: int
    name: str


class Place:
    """The account one is in and what one may do there."""

    def __init__(self, reading: Reading, person: User) -> None:
        self._reading = reading
        self._person = person

    @property
    def account(self) -> Account:
        """The account."""
        return self._reading.account

    @property
    def role(self) -> str:
        """What the person is in it."""
        return self._reading.role.value

    @property
    def may_write(self) -> bool:
        """Whether servers and listings may be changed."""
        return isinstance(self._reading, Writing)

    @property
    def may_own(self) -> bool:
        """Whether people and parameters may be changed."""
        return isinstance(self._reading, Owning)

    @property
    def idle(self) -> str:
        """Why nothing of the account is answered, empty when it is."""
        account = self.account
        if account.suspended:
            return "This account is suspended."
        ended = account.expires is not None and account.expires <= time.time()
        return "This account has expired." if ended else ""

    @cached_property
    def pauses(self) -> list[Pause]:
        """Pauses in force, which every page tells."""
        return pauses_of(self._reading, time.time())

    @property
    def traffic_away(self) -> bool:
        """Whether nothing that is seen is kept, which every page tells."""
        return bool(health.known())

    @cached_property
    def open_requests(self) -> int:
        """How many removal requests wait for an answer."""
        return count_open(self._reading)

    @cached_property
    def accounts(self) -> list[SideAccount]:
        """All accounts of the person."""
        return [SideAccount(*one) for one in names_of_accounts(self._person)]

    @cached_property
    def _names(self) -> dict[int, str]:
        return present_servers(self._reading)

    @cached_property
    def server_count(self) -> int:
        """How many servers the account has."""
        return len(self._names)

    @cached_property
    def unseen_alerts(self) -> int:
        """How many open alerts nobody has acknowledged."""
        return unseen(self._reading)

    @cached_property
    def suggestions(self) -> int:
        """How many proposals wait for a decision."""
        return waiting(self._reading)

    @cached_property
    def servers(self) -> list[SideServer]:
        """The first servers by name, with their state."""
        names = dict(list(self._names.items())[:SERVERS_SHOWN])
        states = states_of(self._reading, names, time.time())
        return [SideServer(name, states[number]) for number, name in names.items()]


def shell(request: HttpRequest) -> dict[str, Any]:
    """The place, on pages of an account, and the zone that times are shown in."""
    granted = getattr(request, "granted", None)
    person = getattr(request, "user", None)
    place = Place(granted, person) if granted is not None and isinstance(person, User) else None
    return {
        "place": place,
        "zone": timezone.get_current_timezone_name(),
        "demo": is_demo(config.current().data),
    }
