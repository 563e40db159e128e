"""An account's terms, as a copy in the traffic database.

The account itself stands in the database of rules.  Whoever keeps or reads traffic knows only
numbers of accounts, and must know the terms even while that database is away.
"""

from dataclasses import asdict

from django.db import transaction

from mailmum.control.once import once
from mailmum.control.traffic import rewriting
from mailmum.control.traffic.models import AccountTerms
from mailmum.control.traffic.router import traffic_database
from mailmum.traffic.terms import Terms

_FIELDS = tuple(Terms.__dataclass_fields__)


@once
def terms_of(account: int) -> Terms:
    """The terms of an account; the defaults where it has set none."""
    row = AccountTerms.objects.filter(account=account).values(*_FIELDS).first()
    return Terms(**row) if row else Terms()


def all_terms() -> dict[int, Terms]:
    """The terms of all accounts that have set any."""
    rows = AccountTerms.objects.values("account", *_FIELDS)
    return {row.pop("account"): Terms(**row) for row in rows}


def set_terms(account: int, terms: Terms) -> None:
    """Let terms hold for what is kept from now on; what was kept is rewritten by and by."""
    before = terms_of(account)
    if before == terms:
        return
    with transaction.atomic(using=traffic_database()):
        AccountTerms.objects.update_or_create(account=account, defaults=asdict(terms))
        if before.privacy != terms.privacy:
            rewriting.begin(account, terms.privacy)
