"""Who may do what, and that accounts never meet."""

import pytest

from mailmum.control.accounts.access import Owning, Writing, access, owning, writing
from mailmum.control.accounts.models import Role, User
from mailmum.control.accounts.services import remove_person, set_role
from mailmum.domain.errors import Conflict, Forbidden, NotFound
from tests.support.world import World


def test_roles_give_types(world: World) -> None:
    """An owner owns, an admin writes, a viewer reads."""
    assert isinstance(world.owner, Owning)
    assert isinstance(world.admin, Writing)
    assert not isinstance(world.admin, Owning)
    assert not isinstance(world.viewer, Writing)


def test_a_viewer_cannot_write(world: World) -> None:
    """The proof that a service asks for is refused, with the reason."""
    with pytest.raises(Forbidden, match="viewers cannot change anything"):
        writing(world.viewer)
    with pytest.raises(Forbidden, match="only owners"):
        owning(world.admin)


def test_a_reading_token_of_an_owner_cannot_write(world: World) -> None:
    """The way of asking narrows what the role allows."""
    person = User.objects.get(email="owner@example.net")
    with pytest.raises(Forbidden, match="token is for reading only"):
        writing(access(person, None, via="test", writes=False))


@pytest.mark.parametrize("by", ["number", "name"])
def test_a_foreign_account_does_not_exist(world: World, by: str) -> None:
    """Whether it is there or not, the answer is the same."""
    outsider = User.objects.get(email="outsider@example.org")
    theirs = world.owner.account.pk if by == "number" else world.owner.account.name
    missing = 999_999 if by == "number" else "no such name"
    with pytest.raises(NotFound) as foreign:
        access(outsider, theirs, via="test")
    with pytest.raises(NotFound) as absent:
        access(outsider, missing, via="test")
    assert str(foreign.value) == str(absent.value)


def test_an_inactive_person_gets_in_nowhere(world: World) -> None:
    """Deactivating a person ends every access."""
    person = User.objects.get(email="admin@example.net")
    person.is_active = False
    person.save()
    with pytest.raises(NotFound):
        access(person, None, via="test")


def test_the_last_owner_stays(world: World) -> None:
    """An account is never left without an owner."""
    with pytest.raises(Conflict, match="only owner"):
        set_role(world.owner, "owner@example.net", Role.ADMIN)
    with pytest.raises(Conflict, match="only owner"):
        remove_person(world.owner, "owner@example.net")
    set_role(world.owner, "admin@example.net", Role.OWNER)
    remove_person(world.owner, "owner@example.net")
    with pytest.raises(NotFound):
        access(User.objects.get(email="owner@example.net"), None, via="test")
