"""Tokens for the API and the command line."""

from typing import Any

from django.http import HttpResponse

from mailmum.control import config
from mailmum.control.accounts import services
from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.accounts.queries import tokens_of
from mailmum.control.servers.queries import names_of_servers, servers_of
from mailmum.control.servers.services import add_shipping_token
from mailmum.domain.errors import Refusal
from mailmum.domain.lifetimes import parse_lifetime
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to

SECTION = "settings"
TOKEN_LIVES = (("30d", "30 days"), ("90d", "90 days"), ("365d", "a year"), ("", "no end"))


@account_view(Reading)
def tokens(request: PageRequest, access: Reading) -> HttpResponse:
    """One's own tokens; an owner sees everybody's."""
    return _tokens_page(request, access, _empty_token())


@account_view(Reading, "POST")
def add_token(request: PageRequest, access: Reading) -> HttpResponse:
    """Make a token for oneself; its secret is shown in the answer and never again."""
    form = posted(request.POST, "name", "scope", "life", "server")
    try:
        made = _made(access, form.values)
    except Refusal as refusal:
        form.refuse(refusal, names={"for": "life"}, otherwise="scope")
        return _tokens_page(request, access, form)
    return _tokens_page(request, access, _empty_token(), made=made)


@account_view(Reading, "POST")
def revoke_token(request: PageRequest, access: Reading, number: int) -> HttpResponse:
    """Revoke a token; owners may revoke everybody's."""
    services.remove_token(access, number)
    tell(request, "The token is revoked; what used it gets no answer any more.")
    return to(access, "tokens")


def _made(access: Reading, given: dict[str, str]) -> services.NewToken:
    lifetime = parse_lifetime(given["life"]) if given["life"] else None
    if given["scope"] == "ship":
        return add_shipping_token(access, given["server"], given["name"], lifetime=lifetime)
    writes = given["scope"] == "write"
    return services.add_token(access, given["name"], writes=writes, lifetime=lifetime)


def _tokens_page(
    request: PageRequest,
    access: Reading,
    form: Form,
    *,
    made: services.NewToken | None = None,
) -> HttpResponse:
    names = names_of_servers(access)
    found = tokens_of(access)
    shown: dict[str, Any] = {
        "tab": "tokens",
        "form": form,
        "tokens": [(one, "" if one.ships is None else names.get(one.ships, "")) for one in found],
        "servers": list(servers_of(access)) if isinstance(access, Writing) else [],
        "made": made,
        "lives": TOKEN_LIVES,
        "may_make_writing": isinstance(access, Writing),
        "url": config.current().base_url,
    }
    return show(request, "settings/tokens.html", SECTION, **shown)


def _empty_token() -> Form:
    return Form({"name": "", "scope": "read", "life": "90d", "server": ""})
