"""The people of an account: who is in it, in which role, and how they first sign in."""

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from mailmum.control import config
from mailmum.control.accounts import joining, services
from mailmum.control.accounts.access import Owning, Reading
from mailmum.control.accounts.models import Role
from mailmum.control.accounts.queries import people_of
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.texts import shown
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to, warn

SECTION = "settings"


@account_view(Reading)
def people(request: PageRequest, access: Reading) -> HttpResponse:
    """Who is in the account; only owners can change that."""
    return _people_page(request, access, _empty_person())


@account_view(Owning, "POST")
@sensitive_variables("secret")
def add_person(request: PageRequest, access: Owning) -> HttpResponse:
    """Let a person in, and show the link by which they sign in for the first time.

    Who signs in already, let in by another account, joins by a link: see `accounts.joining`.
    """
    form = posted(request.POST, "email", "role")
    email, role = form.values["email"], form.values["role"]
    try:
        if joining.signs_in_already(access, email):
            link = _link("join", joining.offer(access, email, _role(role)))
            invited = services.clean_email(email)
            return _people_page(
                request, access, _empty_person(), invited=invited, link=link, joins=True
            )
        member = services.set_role(access, email, _role(role))
    except Refusal as refusal:
        form.refuse(refusal, otherwise="email")
        return _people_page(request, access, form)
    email = member.person.email
    secret = services.invitation(access, email)
    if secret is None:
        tell(request, f"{email} is {member.role} now.")
        return to(access, "people")
    # Shown in the answer itself: the link is not kept, so no other page could show it again.
    link = _link("enter", secret)
    return _people_page(request, access, _empty_person(), invited=email, link=link)


@account_view(Owning, "POST")
def set_role(request: PageRequest, access: Owning) -> HttpResponse:
    """Change what a person may do who is in the account."""
    email = request.POST.get("email", "")
    try:
        if not people_of(access).filter(person__email=services.clean_email(email)).exists():
            raise BadInput(f"{shown(email)} is not in this account", fix="add them", field="email")
        member = services.set_role(access, email, _role(request.POST.get("role", "")))
    except Refusal as refusal:
        warn(request, str(refusal))
    else:
        tell(request, f"{member.person.email} is {member.role} now.")
    return to(access, "people")


@account_view(Owning, "POST")
def remove_person(request: PageRequest, access: Owning) -> HttpResponse:
    """Take a person and their tokens out of the account."""
    email = request.POST.get("email", "")
    try:
        services.remove_person(access, email)
    except Refusal as refusal:
        warn(request, str(refusal))
    else:
        tell(request, f"{email} is out of the account, and their tokens with them.")
    return to(access, "people")


@account_view(Owning, "POST")
@sensitive_variables("secret")
def new_link(request: PageRequest, access: Owning) -> HttpResponse:
    """A new link for somebody who has not signed in yet."""
    email = request.POST.get("email", "")
    try:
        secret = services.invitation(access, email)
    except Refusal as refusal:
        warn(request, str(refusal))
        return to(access, "people")
    if secret is None:
        warn(request, f"{email} can sign in already; a link would let others in as them")
        return to(access, "people")
    link = _link("enter", secret)
    return _people_page(request, access, _empty_person(), invited=email, link=link)


def _people_page(
    request: PageRequest,
    access: Reading,
    form: Form,
    *,
    invited: str = "",
    link: str = "",
    joins: bool = False,
) -> HttpResponse:
    return show(
        request,
        "settings/people.html",
        SECTION,
        tab="people",
        form=form,
        people=people_of(access),
        roles=Role.values,
        invited=invited,
        link=link,
        joins=joins,
    )


def _empty_person() -> Form:
    return Form({"email": "", "role": Role.VIEWER.value})


def _link(page: str, secret: str) -> str:
    return config.current().base_url + reverse(page, kwargs={"secret": secret})


def _role(text: str) -> Role:
    if text not in Role.values:
        raise BadInput(f"{shown(text)} is no role", fix="choose one", field="role")
    return Role(text)
