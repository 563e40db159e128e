"""Two accounts that must never meet, and people of every role."""

from dataclasses import dataclass

import pytest

from mailmum.control.accounts.access import Owning, Reading, Writing, access
from mailmum.control.accounts.models import Role, User
from mailmum.control.accounts.services import create_account, set_role


@dataclass(frozen=True)
class World:
    """`owner`, `admin` and `viewer` share an account; `outsider` owns another."""

    owner: Owning
    admin: Writing
    viewer: Reading
    outsider: Owning


def granted(email: str) -> Reading:
    """What the person of this address may do in their first account."""
    return access(User.objects.get(email=email), None, via="test")


@pytest.fixture
def world(db: None) -> World:
    """A fresh world."""
    create_account("Example", "owner@example.net")
    create_account("Other", "outsider@example.org")
    owner, outsider = granted("owner@example.net"), granted("outsider@example.org")
    assert isinstance(owner, Owning)
    assert isinstance(outsider, Owning)
    set_role(owner, "admin@example.net", Role.ADMIN)
    set_role(owner, "viewer@example.net", Role.VIEWER)
    admin, viewer = granted("admin@example.net"), granted("viewer@example.net")
    assert isinstance(admin, Writing)
    return World(owner, admin, viewer, outsider)
