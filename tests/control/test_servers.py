"""Servers and their keys."""

import time

import pytest

from mailmum.control.accounts.models import Account
from mailmum.control.doctor import checks
from mailmum.control.journal.models import Record
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.queries import explain
from mailmum.control.listings.services import list_targets
from mailmum.control.listings.undo import undo
from mailmum.control.servers.models import Key
from mailmum.control.servers.queries import current_key, find_server, servers_of
from mailmum.control.servers.services import add_server, edit_server, rotate_key
from mailmum.control.traffic.models import BarredUse
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.keys import is_key
from mailmum.domain.listings import Action
from mailmum.domain.verdicts import Word
from tests.support.world import World


def test_a_server_has_a_key_at_once(world: World) -> None:
    """The key is well-formed, and another server's is another."""
    add_server(world.admin, "mx1", ["192.0.2.25", "MX1.example.net."])
    add_server(world.admin, "mx2")
    first, second = (find_server(world.viewer, name) for name in ("mx1", "mx2"))
    assert first.addresses == ["192.0.2.25", "mx1.example.net"]
    assert is_key(current_key(first))
    assert current_key(first) != current_key(second)


def test_outsiders_see_no_server(world: World) -> None:
    """Neither in the list nor by name; the same name is free for them."""
    add_server(world.admin, "mx1")
    assert not servers_of(world.outsider)
    with pytest.raises(NotFound):
        find_server(world.outsider, "mx1")
    with pytest.raises(NotFound):
        rotate_key(world.outsider, "mx1")
    add_server(world.outsider, "mx1")


@pytest.mark.parametrize("name", ["", " ", "a b", "mx/1", "account", "-mx", "x" * 81, "mx\x1b[2J"])
def test_names_that_cannot_be(world: World, name: str) -> None:
    """They would break command lines, or be taken for a scope."""
    with pytest.raises(BadInput, match="cannot be the name of a server"):
        add_server(world.admin, name)
    assert not servers_of(world.admin)


def test_a_name_stands_for_one_server(world: World) -> None:
    """A second of the name is refused, also by renaming."""
    add_server(world.admin, "mx1")
    add_server(world.admin, "mx2")
    with pytest.raises(Conflict):
        add_server(world.admin, "mx1")
    with pytest.raises(Conflict):
        edit_server(world.admin, "mx2", new_name="mx1")


def test_a_rotated_key_lives_on_for_a_while(world: World) -> None:
    """For the account's parameter, or as long as was said."""
    add_server(world.admin, "mx1")
    old = current_key(find_server(world.admin, "mx1"))
    rotate_key(world.admin, "mx1")
    new = current_key(find_server(world.admin, "mx1"))
    assert new != old
    until = Key.objects.get(label=old).until
    assert until is not None
    assert abs(until - time.time() - 7 * 86400) < 60
    rotate_key(world.admin, "mx1", keep=0)
    ends = [key.until for key in Key.objects.exclude(until=None)]
    assert all(end is not None and end <= time.time() for end in ends)


def test_the_key_is_not_in_the_journal(world: World) -> None:
    """The journal is read by viewers and exported; keys are not for them to carry away."""
    add_server(world.admin, "mx1")
    rotate_key(world.admin, "mx1")
    told = str(list(Record.objects.values()))
    assert not any(key.label in told for key in Key.objects.all())


def test_an_edit_is_undone(world: World) -> None:
    """Name and addresses return; without a change there is no record."""
    add_server(world.admin, "mx1", ["192.0.2.25"])
    edit_server(world.admin, "mx1", new_name="mx9", addresses=[])
    record = Record.objects.get(what="server.set")
    edit_server(world.admin, "mx9", new_name="mx9")
    assert Record.objects.filter(what="server.set").count() == 1
    undo(world.admin, record.seq)
    assert find_server(world.admin, "mx1").addresses == ["192.0.2.25"]


def test_undo_of_an_edit_does_not_undo_a_later_one(world: World) -> None:
    """Own addresses added since guard against a slip; they must not go with an old name."""
    add_server(world.admin, "mx1")
    edit_server(world.admin, "mx1", new_name="mx9")
    rename = Record.objects.latest("seq").seq
    edit_server(world.admin, "mx9", addresses=["192.0.2.25"])
    with pytest.raises(Conflict, match="changed since"):
        undo(world.admin, rename)
    assert find_server(world.admin, "mx9").addresses == ["192.0.2.25"]


@pytest.mark.parametrize("own", ["192.0.2.25", "mx1.example.net"])
def test_the_doctor_sees_an_own_address_that_is_blocked(world: World, own: str) -> None:
    """Guards could not know it when it was listed; an allow mends it."""
    target = "192.0.2.0/24" if own[0].isdigit() else ".example.net"
    list_targets(world.admin, [target], make_wish(Action.BLOCK, now=0))
    add_server(world.admin, "mx1", [own, "198.51.100.1"])
    (found,) = [one for one in checks(world.viewer, "mx1") if one["state"] == "fail"]
    assert own in found["message"]
    assert target in found["message"]
    list_targets(world.admin, [own], make_wish(Action.ALLOW, now=0), confirmed=True)
    assert not [one for one in checks(world.viewer) if one["state"] == "fail"]


@pytest.mark.parametrize("state", [{"suspended": True}, {"expires": 1}])
def test_of_an_account_that_ended_nothing_is_said_to_hold(
    world: World, state: dict[str, int]
) -> None:
    """As DNS answers; what would hold is told as overruled."""
    for target in ("192.0.2.0/24", "192.0.2.7"):
        list_targets(world.admin, [target], make_wish(Action.BLOCK, now=0))
    Account.objects.filter(pk=world.owner.account.pk).update(**state)
    world.viewer.account.refresh_from_db()
    found = explain(world.viewer, parse_subject("192.0.2.7"), None)
    assert (found.verdict.word, found.because) == (Word.NONE, None)
    assert [version.target for version in found.overruled] == ["192.0.2.7", "192.0.2.0/24"]


def test_who_may_ask_is_kept_and_can_be_undone(world: World) -> None:
    """In canonical form, as a change in the journal; nobody told means anyone."""
    add_server(world.admin, "mx1", askers=["192.0.2.53", "2001:DB8:0::/32", "192.0.2.53/32"])
    assert find_server(world.viewer, "mx1").askers == ["192.0.2.53", "2001:db8::/32"]
    edit_server(world.admin, "mx1", askers=["192.0.2.0/24"])
    record = Record.objects.latest("seq")
    assert record.what == "server.set"
    assert record.before == {
        "name": "mx1",
        "addresses": [],
        "askers": ["192.0.2.53", "2001:db8::/32"],
    }
    undo(world.admin, record.seq)
    assert find_server(world.viewer, "mx1").askers == ["192.0.2.53", "2001:db8::/32"]
    edit_server(world.admin, "mx1", askers=[])
    undo(world.admin, Record.objects.latest("seq").seq)
    assert find_server(world.viewer, "mx1").askers == ["192.0.2.53", "2001:db8::/32"]
    with pytest.raises(NotFound):
        edit_server(world.outsider, "mx1", askers=[])


@pytest.mark.parametrize("text", ["mail.example", ".example", "192.0.2.0/33", "", "a\0b"])
def test_only_networks_may_ask(world: World, text: str) -> None:
    """The field is named."""
    with pytest.raises(BadInput) as refusal:
        add_server(world.admin, "mx1", askers=[text])
    assert refusal.value.field == "askers"
    with pytest.raises(BadInput, match="more than 100"):
        add_server(world.admin, "mx1", askers=[f"192.0.2.{at}" for at in range(101)])


def test_the_doctor_tells_of_who_may_not_ask(world: World) -> None:
    """While it goes on."""
    server = add_server(world.admin, "mx1", askers=["192.0.2.0/24"])
    BarredUse.objects.create(
        server=server.pk, queries=3, sender="203.0.113.9", last=int(time.time())
    )
    (found,) = [one for one in checks(world.viewer) if "it may not" in str(one)]
    assert "203.0.113.9" in str(found)
    BarredUse.objects.update(last=1)
    assert not [one for one in checks(world.viewer) if "it may not" in str(one)]
