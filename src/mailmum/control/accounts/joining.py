"""Letting somebody into a further account: who signs in here already has to be handed a link.

An address proves nothing.  The owner of one account may have let in an address that is not theirs,
and have signed in under it with the link that they were to hand over.  Were it enough to name that
address in another account, they would be in there too.  So nobody comes into a further account by
their address alone: its owner hands over a link, and who opens it has to be signed in as the person
it was made for.

The link is signed and not kept: it says which account, whom, as what, and who offers it.  It holds
for a day, for as long as that owner is one, and until somebody has taken the person out again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.core import signing

from mailmum.control.accounts.access import Owning, access, owning
from mailmum.control.accounts.models import Account, Membership, Role, User
from mailmum.control.accounts.services import LINK_LIFETIME, clean_email, set_role
from mailmum.control.journal.models import Record
from mailmum.domain.errors import Forbidden, NotFound

_SALT = "mailmum.accounts.join"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link offers.

    Attributes:
        account: where to.
        person: whom.
        role: as what.
        owner: who offers it.
    """

    account: Account
    person: User
    role: Role
    owner: User


def signs_in_already(owner: Owning, email: str) -> bool:
    """Whether somebody of this address is not in the account, but known from elsewhere.

    Raises:
        BadInput: it is no e-mail address.
    """
    person = User.objects.filter(email=clean_email(email)).first()
    if person is None or person.memberships.filter(account=owner.account).exists():
        return False
    known = person.has_usable_password() or person.last_login is not None
    return known or person.memberships.exists()


def offer(owner: Owning, email: str, role: Role) -> str:
    """The secret of a link by which a person who signs in already joins the account.

    Raises:
        NotFound: nobody of that address signs in here.
    """
    person = User.objects.filter(email=clean_email(email)).first()
    if person is None:
        raise NotFound("nobody of this address signs in here", field="email")
    said = [owner.account.pk, person.pk, role.value, owner.actor.person]
    return signing.dumps(said, salt=_SALT)


def offered(secret: str) -> Offer:
    """What a link offers, while it holds.

    Raises:
        NotFound: it is none of ours, or holds no more.
    """
    gone = NotFound("this link no longer works", fix="ask the owner of the account for another")
    try:
        account, person, role, owner = signing.loads(secret, salt=_SALT, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        raise gone from None
    people = User.objects.in_bulk([person, owner])
    if len({person, owner}) != len(people):
        raise gone
    found = Offer(
        _owning(people[owner], account).account, people[person], Role(role), people[owner]
    )
    if _is_over(found, secret):
        raise gone
    return found


def join(secret: str, person: User) -> Offer:
    """Let in who opens the link, if it was made for them.

    Raises:
        NotFound: the link is none of ours, or holds no more.
        Forbidden: it was made for somebody else.
    """
    found = offered(secret)
    if found.person != person:
        raise Forbidden("this link was made for somebody else", fix="sign in as that person")
    set_role(_owning(found.owner, found.account.pk), person.email, found.role)
    return found


def _owning(person: User, account: int) -> Owning:
    """What the one who offers may still do.

    Raises:
        NotFound: they are not in the account any more, or no owner.
    """
    try:
        return owning(access(person, account, via="web"))
    except Forbidden:
        raise NotFound("this link no longer works", fix="ask an owner for another") from None


def _is_over(found: Offer, secret: str) -> bool:
    """Whether the person is in the account by now, or was taken out since."""
    mine = Membership.objects.filter(account=found.account, person=found.person)
    made = datetime.fromtimestamp(_made_at(secret), UTC)
    removed = Record.objects.filter(
        account=found.account, what="people.remove", at__gte=made, before__email=found.person.email
    )
    return mine.exists() or removed.exists()


def _made_at(secret: str) -> int:
    # The middle of value:time:signature, which has been checked.
    return signing.b62_decode(secret.split(":")[-2])
