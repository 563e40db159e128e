"""Clients of the API, one for each role."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponseBase
from django.test import Client

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.services import add_token
from tests.support.world import World


@dataclass(frozen=True)
class Caller:
    """Calls the API with a token."""

    token: str

    def __call__(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """Status and decoded answer."""
        response = self.raw(method, path, json.dumps(body) if body is not None else "", **query)
        content = response.getvalue() if not response.streaming else b""
        return response.status_code, json.loads(content) if content else None

    def raw(self, method: str, path: str, body: str | bytes, **query: str) -> HttpResponseBase:
        """The response as it is."""
        return Client().generic(
            method,
            f"/api/v1{path}",
            body,
            content_type="application/json",
            query_params=query,
            headers={"Authorization": f"Bearer {self.token}"},
        )


@dataclass(frozen=True)
class Callers:
    """`reader` has a token of scope read of somebody who may write."""

    owner: Caller
    admin: Caller
    viewer: Caller
    reader: Caller
    outsider: Caller
    nobody: Caller


@pytest.fixture
def api(world: World) -> Callers:
    """A client for everybody in the world."""
    return Callers(
        owner=_caller(world.owner, writes=True),
        admin=_caller(world.admin, writes=True),
        viewer=_caller(world.viewer, writes=False),
        reader=_caller(world.owner, writes=False),
        outsider=_caller(world.outsider, writes=True),
        nobody=Caller("mm_unknown"),
    )


def _caller(access: Reading, *, writes: bool) -> Caller:
    return Caller(add_token(access, "test", writes=writes).secret)
