"""Parameters of an account."""

from django.http import HttpResponse

from mailmum.control.accounts import services
from mailmum.control.accounts.access import Owning, Reading
from mailmum.control.accounts.models import Account
from mailmum.control.traffic.reading import tolerant
from mailmum.control.traffic.rewriting import progress_of
from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.lifetimes import lifetime_text, parse_keep
from mailmum.domain.texts import shown
from mailmum.traffic.privacy import FULL, HASHED, NO_LOCAL_PARTS
from mailmum.traffic.terms import Terms
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to

SECTION = "settings"
DAYS = ("recent_days", "minute_days", "hour_days", "day_days")
PARAMETERS = ("ttl", "code", "key_keep", "contact", "takes_requests", *DAYS, "privacy")
PRIVACY = (
    (FULL, "in full"),
    (NO_LOCAL_PARTS, "without local parts"),
    (HASHED, "with local parts as keyed hashes"),
)


@account_view(Reading)
def parameters(request: PageRequest, access: Reading) -> HttpResponse:
    """The account's parameters; only owners can change them."""
    account = access.account
    form = Form(
        {
            "ttl": str(account.ttl),
            "code": "" if account.code is None else code_text(account.code),
            "key_keep": lifetime_text(account.key_keep),
            "contact": account.contact,
            "takes_requests": "1" if account.takes_requests else "",
            **{name: str(getattr(account, name)) for name in DAYS},
            "privacy": account.privacy,
        }
    )
    return _page(request, account, form)


@account_view(Owning, "POST")
def set_parameters(request: PageRequest, access: Owning) -> HttpResponse:
    """Change the account's parameters."""
    form = posted(request.POST, *PARAMETERS)
    try:
        services.set_parameters(
            access,
            ttl=_whole(form.values["ttl"], "ttl", "seconds"),
            code=parse_code(form.values["code"]) if form.filled("code") else None,
            key_keep=parse_keep(form.values["key_keep"], field="key_keep"),
            contact=form.values["contact"],
            takes_requests=bool(form.values["takes_requests"]),
            terms=Terms(
                **{name: _whole(form.values[name], name, "days") for name in DAYS},
                privacy=form.values["privacy"],
            ),
        )
    except Refusal as refusal:
        form.refuse(refusal)
        return _page(request, access.account, form)
    tell(request, "Saved the parameters of the account.")
    return to(access, "settings")


def _page(request: PageRequest, account: Account, form: Form) -> HttpResponse:
    return show(
        request,
        "settings/parameters.html",
        SECTION,
        tab="parameters",
        form=form,
        privacies=PRIVACY,
        rewriting=tolerant(lambda: progress_of(account.pk), None),
    )


def _whole(text: str, field: str, unit: str) -> int:
    given = text.strip()
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        example = "60" if unit == "seconds" else "14"
        raise BadInput(
            f"{shown(text)} is not a number of {unit}",
            fix=f"write for example {example}",
            field=field,
        )
    return int(given)
