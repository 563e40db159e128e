"""What may be read of accounts, people and tokens."""

from datetime import datetime

from django.db.models import QuerySet

from mailmum.control.accounts.access import HandingIn, Owning, Reading, access, handing_in
from mailmum.control.accounts.models import Account, Membership, Token, User
from mailmum.control.accounts.services import digest
from mailmum.control.prepared import Prepared
from mailmum.control.traffic.queries import stamp_token
from mailmum.domain.errors import Forbidden, NotFound


def accounts_of(person: User) -> QuerySet[Account]:
    """The accounts a person is in, by name."""
    return Account.objects.filter(memberships__person=person).order_by("name")


def names_of_accounts(person: User) -> list[tuple[int, str]]:
    """Numbers and names of the accounts a person is in, by name."""
    return _NAMES.rows(person.pk)


_NAMES = Prepared(
    lambda person: (
        Account.objects.filter(memberships__person=person)
        .order_by("name")
        .values_list("pk", "name")
    )
)


def account_names(email: str) -> list[str]:
    """Names of the accounts that somebody of this address is in; for the operator."""
    found = Account.objects.filter(memberships__person__email=email).order_by("name")
    return list(found.values_list("name", flat=True))


def people_of(reading: Reading) -> QuerySet[Membership]:
    """The people of an account with their roles."""
    return (
        Membership.objects.select_related("person")
        .filter(account=reading.account)
        .order_by("person__email")
    )


def tokens_of(reading: Reading) -> QuerySet[Token]:
    """One's own tokens in the account; an owner sees everybody's."""
    tokens = Token.objects.select_related("person").filter(account=reading.account)
    if not isinstance(reading, Owning):
        tokens = tokens.filter(person_id=reading.actor.person)
    return tokens.order_by("id")


def access_by_token(secret: str, now: datetime) -> tuple[Reading, Token] | None:
    """What the bearer of a token may do, or None when it is unknown or has expired.

    None as well for a token that only hands in logs; see `bearer`.
    """
    found = bearer(secret, now)
    if found is None or isinstance(found[0], HandingIn):
        return None
    return found[0], found[1]


def bearer(secret: str, now: datetime) -> tuple[Reading | HandingIn, Token] | None:
    """What the bearer of any token may do, or None when it is unknown or has expired."""
    token = Token.objects.select_related("person", "account").filter(digest=digest(secret)).first()
    if token is None or (token.expires is not None and token.expires <= now):
        return None
    stamp_token(token.pk, now)
    person, via = token.person, f"token {token.name}"
    try:
        if token.ships is not None:
            return handing_in(person, token.account_id, via=via, server=token.ships), token
        return access(person, token.account_id, via=via, writes=token.writes), token
    except (NotFound, Forbidden):
        return None
