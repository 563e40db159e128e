"""Changes to accounts, people and credentials."""

import hashlib
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from mailmum.control.accounts.access import Owning, Reading, system_access, writing
from mailmum.control.accounts.models import Account, Membership, Role, SignInLink, Token, User
from mailmum.control.journal.services import change
from mailmum.control.traffic.terms import set_terms
from mailmum.domain.codes import code_text
from mailmum.domain.errors import BadInput, Conflict, Forbidden, NotFound
from mailmum.domain.texts import LABEL_LIMIT, REASON_LIMIT, clean_line, shown
from mailmum.traffic.terms import Terms

TOKEN_PREFIX = "mm_"  # noqa: S105 (marks our tokens for secret scanners)
LINK_LIFETIME = timedelta(hours=24)
TTL_RANGE = (1, 86_400)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: `secret` is shown this once."""

    token: Token
    secret: str


@dataclass(frozen=True, slots=True)
class Told:
    """What rejected senders are told; None leaves a value as it is.

    Attributes:
        contact: how to reach the administrator.
        text: what is said where a block gives no reason.
        takes_requests: whether they may ask for removal.
    """

    contact: str | None = None
    text: str | None = None
    takes_requests: bool | None = None

    def put_on(self, account: Account) -> None:
        """Change the account.

        Raises:
            BadInput: a text is too long, or has control characters.
        """
        if self.contact is not None:
            account.contact = clean_line(self.contact, field="contact", limit=200)
        if self.text is not None:
            account.text = clean_line(self.text, field="text", limit=REASON_LIMIT)
        if self.takes_requests is not None:
            account.takes_requests = self.takes_requests


def digest(secret: str) -> str:
    """How a secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_account(name: str, owner_email: str) -> Owning:
    """A new account with its first owner.

    Raises:
        BadInput: the name or the address cannot be used.
        Conflict: an account of this name exists.
    """
    label = clean_line(name, field="name", limit=LABEL_LIMIT)
    if not label:
        raise BadInput("the account needs a name", field="name")
    if Account.objects.filter(name=label).exists():
        raise Conflict(f"there is an account {shown(label)} already", field="name")
    email = clean_email(owner_email)
    account = Account(name=label)
    with change(0, system_access(account).actor, "account.add") as made:
        account.save()
        made.account = account.pk
        person = _person(email)
        _forget_links(person)
        Membership.objects.create(account=account, person=person, role=Role.OWNER)
        made.summary = f"account {label} for {email}"
        made.after = {"name": label, "owner": email}
    return system_access(account)


def clean_email(text: str) -> str:
    """An e-mail address in the form in which people are looked up.

    Raises:
        BadInput: it is none.
    """
    email = text.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise BadInput(f"{shown(text)} is not an e-mail address", field="email") from None
    return email


def set_role(access: Owning, email: str, role: Role) -> Membership:
    """Let a person in, or change what they may do.

    Raises:
        BadInput: not an e-mail address.
        Conflict: the account would be left without an owner.
    """
    address = clean_email(email)
    with change(access.account.pk, access.actor, "people.set") as made:
        person = _person(address)
        membership = Membership.objects.filter(account=access.account, person=person).first()
        was = membership.role if membership else None
        if was == Role.OWNER and role is not Role.OWNER:
            _need_another_owner(access, person)
        if membership is None:
            _forget_links(person)
            membership = Membership(account=access.account, person=person)
        membership.role = role
        membership.save()
        if was == role:
            made.discard()
        made.summary = f"{address} is {role.value}" + (f", was {was}" if was else "")
        made.before = {"email": address, "role": was} if was else None
        made.after = {"email": address, "role": role.value}
    return membership


def invitation(access: Owning, email: str) -> str | None:
    """The secret of a one-time link by which a person of the account signs in for the first time.

    Only for somebody who has never been able to sign in and is in no other account: else an owner
    could let himself in as that person, and into their other accounts.

    Returns:
        The secret, or None when the person signs in with what they have.

    Raises:
        NotFound: nobody of that address is in the account.
    """
    membership = (
        Membership.objects.select_related("person")
        .filter(account=access.account, person__email=email.strip().lower())
        .first()
    )
    if membership is None:
        raise NotFound(f"{shown(email)} is not in this account", field="email")
    person = membership.person
    elsewhere = person.memberships.exclude(account=access.account).exists()
    if elsewhere or person.has_usable_password() or person.last_login is not None:
        return None
    return add_sign_in_link(person)


def remove_person(access: Owning, email: str) -> None:
    """Take a person and their tokens out of the account.

    Raises:
        NotFound: nobody of that address is in it.
        Conflict: the account would be left without an owner.
    """
    with change(access.account.pk, access.actor, "people.remove") as made:
        membership = (
            Membership.objects.select_related("person")
            .filter(account=access.account, person__email=clean_email(email))
            .first()
        )
        if membership is None:
            raise NotFound(f"{shown(email)} is not in this account")
        if membership.role == Role.OWNER:
            _need_another_owner(access, membership.person)
        Token.objects.filter(account=access.account, person=membership.person).delete()
        membership.delete()
        made.summary = f"{membership.person.email} is out"
        made.before = {"email": membership.person.email, "role": membership.role}


def set_parameters(
    access: Owning,
    *,
    ttl: int,
    code: int | None,
    key_keep: int,
    told: Told,
    terms: Terms | None = None,
) -> Account:
    """Change the account's parameters.

    Args:
        access: proof that the asker owns the account.
        ttl: TTL of answers in seconds.
        code: own return code for all listings, or None for the defaults.
        key_keep: how long a rotated key lives on, in seconds.
        told: what rejected senders are told.
        terms: how long traffic is kept, and what of mail addresses; None leaves that as it is.

    Raises:
        BadInput: a value is out of range.
    """
    check_ttl(ttl)
    if not 0 <= key_keep <= 365 * 86400:
        raise BadInput("an old key can live on for a year at most", field="key_keep")
    with change(access.account.pk, access.actor, "account.set") as made:
        account = Account.objects.get(pk=access.account.pk)
        made.before = _parameters(account)
        account.ttl, account.code, account.key_keep = ttl, code, key_keep
        told.put_on(account)
        if terms is not None:
            for name, value in asdict(terms).items():
                setattr(account, name, value)
        account.save()
        made.after = _parameters(account)
        made.summary = "parameters of the account"
        if made.before == made.after:
            made.discard()
        if terms is not None and made.before != made.after:
            # Within the change: once an owner was told that addresses are not kept, none may be.
            set_terms(account.pk, terms)
    return account


def check_ttl(ttl: int) -> None:
    """Refuse a TTL that resolvers would not keep to.

    Raises:
        BadInput: out of range.
    """
    low, high = TTL_RANGE
    if not low <= ttl <= high:
        raise BadInput(f"the TTL {ttl} is not between {low} and {high} seconds", field="ttl")


def add_token(
    access: Reading,
    name: str,
    *,
    writes: bool,
    lifetime: int | None = None,
    ships: int | None = None,
    parent: Token | None = None,
) -> NewToken:
    """A new token for the person who asks, never for more than they may do.

    Args:
        access: what the person may do in the account.
        name: for the list of tokens.
        writes: whether it may change things.
        lifetime: seconds until it expires, None for never.
        ships: number of the account's server whose logs it hands in, and nothing else; None for a
            token that reads.
        parent: the token by which it is made, with which it ends; None when a person makes it.

    Raises:
        Forbidden: a token that writes or hands in for somebody who may not.
        BadInput: the name is empty or has control characters.
    """
    label = clean_line(name, field="name", limit=LABEL_LIMIT)
    if not label:
        raise BadInput("the token needs a name", fix="say where it is used", field="name")
    if writes and access.role is Role.VIEWER:
        raise Forbidden("a viewer's token cannot have the scope write", fix="ask for read only")
    if ships is not None:
        writing(access)
    secret = TOKEN_PREFIX + secrets.token_hex(20)
    expires = timezone.now() + timedelta(seconds=lifetime) if lifetime else None
    with change(access.account.pk, access.actor, "token.add") as made:
        token = Token.objects.create(
            account=access.account,
            person_id=access.actor.person,
            name=label,
            digest=digest(secret),
            writes=writes and ships is None,
            ships=ships,
            expires=expires,
            parent=parent,
        )
        made.summary = f"token {label} ({', '.join(token.scopes)})"
        made.after = {"name": label, "scopes": token.scopes}
    return NewToken(token, secret)


def remove_token(access: Reading, number: int) -> None:
    """Revoke one's own token, with those that it made; owners may revoke everybody's.

    Raises:
        NotFound: no such token among those the asker may revoke.
    """
    tokens = Token.objects.filter(account=access.account, pk=number)
    if not isinstance(access, Owning):
        tokens = tokens.filter(person_id=access.actor.person)
    with change(access.account.pk, access.actor, "token.remove") as made:
        token = tokens.first()
        if token is None:
            raise NotFound(f"there is no token {number}")
        made.before = {"name": token.name, "scopes": token.scopes}
        made.summary = f"token {token.name} revoked"
        gone, _ = token.delete()
        if gone > 1:
            made.summary += f", and {gone - 1} that it had made"


def add_sign_in_link(person: User) -> str:
    """The secret part of a link that signs this person in once, within a day."""
    secret = secrets.token_urlsafe(24)
    SignInLink.objects.create(
        person=person, digest=digest(secret), expires=timezone.now() + LINK_LIFETIME
    )
    return secret


def renew_sign_in(person: User) -> str:
    """A link for somebody who has lost the way in; a password ends, and who signed in by it is out.

    That somebody else knows it may be why a link is asked for.
    """
    with transaction.atomic():
        if person.has_usable_password():
            person.set_unusable_password()
            person.save(update_fields=["password"])
        return add_sign_in_link(person)


def peek_sign_in_link(secret: str, now: datetime) -> User | None:
    """Whose link it is, when it still holds; it is not used up by looking."""
    link = (
        SignInLink.objects.select_related("person")
        .filter(digest=digest(secret), used=None, expires__gt=now, person__is_active=True)
        .first()
    )
    return link.person if link else None


def use_sign_in_link(secret: str, now: datetime) -> User | None:
    """The person, once: of two that use a link at the same time only one gets in."""
    person = peek_sign_in_link(secret, now)
    if person is None:
        return None
    taken = SignInLink.objects.filter(digest=digest(secret), used=None).update(used=now)
    return person if taken else None


def _person(email: str) -> User:
    found = User.objects.filter(email=email).first()
    return found or User.objects.create_user(email)


def _forget_links(person: User) -> None:
    # A link that another account's owner was given must not lead into this account.
    SignInLink.objects.filter(person=person, used=None).delete()


def _need_another_owner(access: Owning, person: User) -> None:
    owners = Membership.objects.filter(account=access.account, role=Role.OWNER)
    if not owners.exclude(person=person).exists():
        raise Conflict(f"{person.email} is the only owner", fix="make somebody else an owner first")


def _parameters(account: Account) -> dict[str, object]:
    return {
        "ttl": account.ttl,
        "code": None if account.code is None else code_text(account.code),
        "text": account.text,
        "key_keep": account.key_keep,
        "contact": account.contact,
        "takes_requests": account.takes_requests,
        **asdict(account.terms),
    }
