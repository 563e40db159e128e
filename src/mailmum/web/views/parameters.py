"""Parameters of an account."""

from django.http import HttpResponse

from mailmum.control.accounts import services
from mailmum.control.accounts.access import Owning, Reading
from mailmum.control.accounts.models import Account
from mailmum.control.traffic.reading import tolerant
from mailmum.control.traffic.rewriting import progress_of
from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.errors import Refusal
from mailmum.domain.lifetimes import lifetime_text, parse_keep
from mailmum.traffic.privacy import FULL, HASHED, NO_LOCAL_PARTS
from mailmum.traffic.terms import Terms
from mailmum.web.form import Form, posted, whole_number
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to

SECTION = "settings"
DAYS = ("recent_days", "minute_days", "hour_days", "day_days")
PARAMETERS = ("ttl", "code", "text", "key_keep", "contact", "takes_requests", *DAYS, "privacy")
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
            "text": account.text,
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
            ttl=whole_number(form.values["ttl"], "ttl", "seconds", "60"),
            code=parse_code(form.values["code"]) if form.filled("code") else None,
            key_keep=parse_keep(form.values["key_keep"], field="key_keep"),
            told=services.Told(
                contact=form.values["contact"],
                text=form.values["text"],
                takes_requests=bool(form.values["takes_requests"]),
            ),
            terms=Terms(
                **{name: whole_number(form.values[name], name, "days", "14") for name in DAYS},
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
