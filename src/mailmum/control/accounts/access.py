"""Permission as a value: who holds one may do what its type says, and nothing else.

Services and queries ask for one of these types instead of an account, so that the type checker
refuses a write where only reading was proved.  They are made in one place, here, from a person's
role or from a token; an account that a person is not in does not exist for that person.

    Reading    look at everything of the account
    Writing    change servers, listings and undo                     (admins, owners)
    Owning     people, tokens of others, parameters of the account   (owners)

A token that stands on a mail server to hand in its logs is worth none of these, but a `HandingIn`:
whoever finds it there can neither read nor change anything.
"""

from dataclasses import dataclass

from mailmum.control.accounts.models import Account, Membership, Role, User
from mailmum.control.journal.services import SYSTEM, Actor
from mailmum.domain.errors import Forbidden, NotFound


@dataclass(frozen=True, slots=True)
class Reading:
    """May look at everything of the account."""

    account: Account
    actor: Actor
    role: Role


class Writing(Reading):
    """May also change servers and listings."""

    __slots__ = ()


class Owning(Writing):
    """May also change people, tokens and parameters."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class HandingIn:
    """May hand in the logs of one server, and nothing else.

    Attributes:
        account: that of the server.
        actor: whose token it is.
        role: of the person whose token it is.
        server: number of the server.
    """

    account: Account
    actor: Actor
    role: Role
    server: int


def access(person: User, account: int | str | None, *, via: str, writes: bool = True) -> Reading:
    """All that a person may do in an account.

    Args:
        person: who asks.
        account: number or name of the account; None for the first the person is in.
        via: the way by which they ask, for the journal.
        writes: False when the way allows reading only (a token of scope read).

    Raises:
        NotFound: no such account, or not one of this person's: the answer is the same.
    """
    memberships = Membership.objects.select_related("account").filter(person=person)
    if isinstance(account, int):
        memberships = memberships.filter(account_id=account)
    elif account is not None:
        memberships = memberships.filter(account__name=account)
    membership = memberships.order_by("since", "id").first()
    if membership is None or not person.is_active:
        raise NotFound("there is no such account", fix="ask its owner to add you")
    role = Role(membership.role)
    actor = Actor(person.pk, person.email, via)
    return _type_for(role, writes=writes)(membership.account, actor, role)


def handing_in(person: User, account: int, *, via: str, server: int) -> HandingIn:
    """Leave to hand in the logs of one server, for as long as the person may write.

    Raises:
        NotFound: the person is not in the account.
        Forbidden: their role allows reading only.
    """
    granted = writing(access(person, account, via=via))
    return HandingIn(granted.account, granted.actor, granted.role, server)


def system_access(account: Account) -> Owning:
    """What the service itself does on the operator's behalf, at the machine it runs on."""
    return Owning(account, SYSTEM, Role.OWNER)


def writing(reading: Reading) -> Writing:
    """Proof that the holder may write.

    Raises:
        Forbidden: the role or the token allows reading only.
    """
    if isinstance(reading, Writing):
        return reading
    if reading.role is Role.VIEWER:
        raise Forbidden("viewers cannot change anything", fix="ask an owner for the role of admin")
    raise Forbidden("this token is for reading only", fix="use a token with the scope write")


def owning(reading: Reading) -> Owning:
    """Proof that the holder owns the account.

    Raises:
        Forbidden: the role or the token allows less.
    """
    if isinstance(reading, Owning):
        return reading
    writing(reading)
    raise Forbidden("only owners can do this", fix="ask an owner of the account")


def _type_for(role: Role, *, writes: bool) -> type[Reading]:
    if not writes or role is Role.VIEWER:
        return Reading
    return Owning if role is Role.OWNER else Writing
