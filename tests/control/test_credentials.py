"""Tokens and one-time links."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from mailmum.control.accounts.models import Role, SignInLink, Token, User
from mailmum.control.accounts.queries import access_by_token, tokens_of
from mailmum.control.accounts.services import (
    add_sign_in_link,
    add_token,
    peek_sign_in_link,
    remove_person,
    remove_token,
    renew_sign_in,
    set_role,
    use_sign_in_link,
)
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import SYSTEM, change
from mailmum.domain.errors import Forbidden, NotFound
from tests.support.world import World


def test_a_token_speaks_for_its_person_and_account(world: World) -> None:
    """Account, person and scope come out as they went in."""
    made = add_token(world.admin, "script", writes=True)
    found = access_by_token(made.secret, timezone.now())
    assert found is not None
    assert found[0].account == world.admin.account
    assert found[0].actor.name == "admin@example.net"
    assert found[0].actor.via == "token script"


def test_only_the_hash_is_kept(world: World) -> None:
    """Whoever reads the database cannot use what stands there; the journal has nothing of it."""
    made = add_token(world.owner, "script", writes=False)
    token = Token.objects.get(pk=made.token.pk)
    assert made.secret not in str(token.__dict__)
    assert made.secret not in str(list(Record.objects.values()))
    assert access_by_token(token.digest, timezone.now()) is None


def test_an_expired_token_is_none(world: World) -> None:
    """To the second."""
    made = add_token(world.owner, "script", writes=False, lifetime=60)
    assert made.token.expires is not None
    assert access_by_token(made.secret, made.token.expires - timedelta(seconds=1)) is not None
    assert access_by_token(made.secret, made.token.expires) is None


def test_a_token_goes_with_its_person(world: World) -> None:
    """Who is out of the account is out by every way."""
    made = add_token(world.admin, "script", writes=True)
    remove_person(world.owner, "admin@example.net")
    assert access_by_token(made.secret, timezone.now()) is None


def test_a_viewer_makes_no_writing_token(world: World) -> None:
    """A token is never worth more than its person."""
    with pytest.raises(Forbidden):
        add_token(world.viewer, "script", writes=True)


def test_tokens_of_others(world: World) -> None:
    """Owners see and revoke all tokens of the account, others their own, outsiders none."""
    made = add_token(world.admin, "script", writes=True)
    assert made.token in tokens_of(world.owner)
    assert made.token not in tokens_of(world.viewer)
    assert made.token not in tokens_of(world.outsider)
    for asker in (world.viewer, world.outsider):
        with pytest.raises(NotFound):
            remove_token(asker, made.token.pk)
    remove_token(world.owner, made.token.pk)
    assert access_by_token(made.secret, timezone.now()) is None


def test_a_new_link_ends_the_password(world: World) -> None:
    """Whoever knows the old one is out; without one nothing else ends."""
    person = User.objects.get(email="owner@example.net")
    person.set_password("s3cret-and-long")
    person.save()
    signed_in = person.get_session_auth_hash()
    assert use_sign_in_link(renew_sign_in(person), timezone.now()) == person
    person.refresh_from_db()
    assert not person.check_password("s3cret-and-long")
    assert person.get_session_auth_hash() != signed_in
    kept = person.get_session_auth_hash()
    renew_sign_in(person)
    person.refresh_from_db()
    assert person.get_session_auth_hash() == kept


def test_a_link_works_once(world: World) -> None:
    """Looking does not use it up; using does."""
    person = User.objects.get(email="owner@example.net")
    secret = add_sign_in_link(person)
    now = timezone.now()
    assert peek_sign_in_link(secret, now) == person
    assert use_sign_in_link(secret, now) == person
    assert use_sign_in_link(secret, now) is None
    assert peek_sign_in_link(secret, now) is None
    assert secret not in str(list(SignInLink.objects.values()))


def test_a_link_runs_out(world: World) -> None:
    """After a day it is nobody's."""
    secret = add_sign_in_link(User.objects.get(email="owner@example.net"))
    assert use_sign_in_link(secret, timezone.now() + timedelta(hours=24)) is None


def test_a_link_made_for_one_account_does_not_lead_into_another(world: World) -> None:
    """An owner who keeps the link of somebody they let in cannot enter as them elsewhere."""
    set_role(world.outsider, "new@example.com", Role.VIEWER)
    secret = add_sign_in_link(User.objects.get(email="new@example.com"))
    set_role(world.owner, "new@example.com", Role.ADMIN)
    assert use_sign_in_link(secret, timezone.now()) is None


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_token_is_known_while_somebody_writes(world: World) -> None:
    """A read never waits for the writer's lock, and the use is noted all the same."""
    made = add_token(world.owner, "script", writes=False)
    begun, end = threading.Event(), threading.Event()
    writer = threading.Thread(target=_write_long, args=(world.owner.account.pk, begun, end))
    writer.start()
    begun.wait(10)
    began = time.monotonic()
    found = access_by_token(made.secret, timezone.now())
    waited = time.monotonic() - began
    end.set()
    writer.join()
    assert found is not None
    assert waited < 10
    assert made.token.last_used is not None


def _write_long(account: int, begun: threading.Event, end: threading.Event) -> None:
    try:
        with change(account, SYSTEM, "test.write"):
            begun.set()
            end.wait(15)
    finally:
        connection.close()
