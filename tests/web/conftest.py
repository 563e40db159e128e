"""Browsers without script, one for each role."""

import html
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import User
from tests.support.world import World

Response = Any
"""What Django's test client returns: a response with more on it than its types say."""


@dataclass(frozen=True)
class Visitor:
    """Somebody at a browser, in the account of the world's owner."""

    client: Client
    account: int

    def get(self, page: str, /, *, query: Any = None, **arguments: Any) -> Response:
        """Open a page of the account."""
        return self.client.get(self.path(page, **arguments), query or {})

    def post(self, page: str, data: dict[str, Any], /, **arguments: Any) -> Response:
        """Send a form of the account and see where it leads."""
        return self.client.post(self.path(page, **arguments), data, follow=True)

    def fragment(self, page: str, query: dict[str, str], /, **arguments: Any) -> Response:
        """Ask for a part of a page as htmx does."""
        return self.client.get(self.path(page, **arguments), query, headers={"HX-Request": "true"})

    def path(self, page: str, /, **arguments: Any) -> str:
        """The address of a page of the account."""
        return reverse(page, kwargs={"account": self.account, **arguments})


class Visitors:
    """Everybody of the world, and somebody who has not signed in.

    Each signs in when a test first turns to them: most tests are about one or two.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._account = world.owner.account.pk
        self.nobody = Visitor(Client(), self._account)

    @cached_property
    def owner(self) -> Visitor:
        """Who owns the account."""
        return self._signed_in(self._world.owner)

    @cached_property
    def admin(self) -> Visitor:
        """Who may change rules in it."""
        return self._signed_in(self._world.admin)

    @cached_property
    def viewer(self) -> Visitor:
        """Who may look at it."""
        return self._signed_in(self._world.viewer)

    @cached_property
    def outsider(self) -> Visitor:
        """Who owns another account, and turns to this one."""
        return self._signed_in(self._world.outsider)

    def _signed_in(self, access: Reading) -> Visitor:
        client = Client()
        client.force_login(User.objects.get(email=access.actor.name))
        return Visitor(client, self._account)


@pytest.fixture(autouse=True)
def fresh_rate_limits() -> None:
    """Numbers of people come again in every test, and limits are kept by them."""
    cache.clear()


@pytest.fixture
def site(world: World) -> Visitors:
    """Browsers of everybody, all at the owner's account."""
    # Some password, never typed here: hashing a real one costs a quarter of a second.
    User.objects.update(password="not a hash of anything")
    return Visitors(world)


def text_of(response: Response) -> str:
    """What a reader reads: without markup, white space folded."""
    source = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", response.content.decode())
    plain = re.sub(r"<[^>]*>", " ", source)
    return re.sub(r"\s+", " ", html.unescape(plain))


def undo_address(response: Response) -> str:
    """Where the button sends that a message offers to undo with."""
    toast: str = response.content.decode().partition('class="toasts"')[2]
    return toast.partition('action="')[2].partition('"')[0]
