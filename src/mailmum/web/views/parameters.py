"""Parameters of an account."""

from django.http import HttpResponse

from mailmum.control.accounts import services
from mailmum.control.accounts.access import Owning, Reading
from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.lifetimes import lifetime_text, parse_keep
from mailmum.domain.texts import shown
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to

SECTION = "settings"
PARAMETERS = ("ttl", "code", "key_keep", "contact")


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
        }
    )
    return show(request, "settings/parameters.html", SECTION, tab="parameters", form=form)


@account_view(Owning, "POST")
def set_parameters(request: PageRequest, access: Owning) -> HttpResponse:
    """Change the account's parameters."""
    form = posted(request.POST, *PARAMETERS)
    try:
        services.set_parameters(
            access,
            ttl=_whole(form.values["ttl"]),
            code=parse_code(form.values["code"]) if form.filled("code") else None,
            key_keep=parse_keep(form.values["key_keep"], field="key_keep"),
            contact=form.values["contact"],
        )
    except Refusal as refusal:
        form.refuse(refusal)
        return show(request, "settings/parameters.html", SECTION, tab="parameters", form=form)
    tell(request, "Saved the parameters of the account.")
    return to(access, "settings")


def _whole(text: str) -> int:
    given = text.strip()
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise BadInput(
            f"{shown(text)} is not a number of seconds", fix="write for example 60", field="ttl"
        )
    return int(given)
