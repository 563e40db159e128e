"""Coming in: the one-time link, the password, the second factor, the front door."""

import base64
import hmac
import struct
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client, RequestFactory
from django.urls import reverse

from mailmum.control.accounts.models import Role, User
from mailmum.control.accounts.services import add_sign_in_link, create_account, set_role
from mailmum.web.callers import caller_of
from tests.support.world import World
from tests.web.conftest import Visitors, text_of

PASSWORD = "correct horse staple"


def new_link(email: str) -> str:
    """The address of a fresh one-time link."""
    return f"/enter/{add_sign_in_link(User.objects.get(email=email))}/"


def with_password(email: str) -> None:
    """Give a person the password of these tests."""
    person = User.objects.get(email=email)
    person.set_password(PASSWORD)
    person.save()


def app_code(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238 with its defaults)."""
    digest = hmac.digest(
        base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1"
    )
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def recovery_code(client: Client) -> str:
    """One of the codes that the page of recovery codes shows."""
    page = client.get("/accounts/two-factor/recovery-codes/").content.decode()
    return page.partition(' id="codes">')[2].split()[0]


def test_looking_at_a_link_does_not_use_it_up(world: World) -> None:
    """Gateways that fetch links before people do change nothing, by GET or HEAD."""
    client, link = Client(), new_link("owner@example.net")
    for _ in range(3):
        seen = client.get(link)
        assert "Sign in as owner@example.net" in text_of(seen)
        assert "no-store" in seen["Cache-Control"]
        client.head(link)
    assert "_auth_user_id" not in client.session
    assert client.post(link).status_code == 302
    assert "_auth_user_id" in client.session


def test_a_link_works_once(world: World) -> None:
    """The second time it says what to do instead."""
    link = new_link("owner@example.net")
    assert Client().post(link).status_code == 302
    again = Client()
    for response in (again.post(link), again.get(link), again.get("/enter/never-was-one/")):
        assert response.status_code == 404
        assert "no longer works" in text_of(response)
        assert "mailmum account link" in text_of(response)
    assert "_auth_user_id" not in again.session


def test_a_link_ends_somebody_elses_session(site: Visitors) -> None:
    """Whoever was signed in at that browser is out, and the link's person is in."""
    client = site.outsider.client
    client.post(new_link("viewer@example.net"))
    assert client.session["_auth_user_id"] == str(User.objects.get(email="viewer@example.net").pk)
    assert site.outsider.get("listings").status_code == 200


def test_the_first_way_in(world: World) -> None:
    """Link, password, then straight to adding the first server; the password works from then on."""
    client = Client()
    response = client.post(new_link("owner@example.net"), follow=True)
    assert "Set a password" in text_of(response)
    for first, second, why in (
        ("short", "short", "at least 10 characters"),
        ("password123", "password123", "too common"),
        (PASSWORD, f"{PASSWORD}r", "same password"),
    ):
        refused = client.post("/accounts/password/set/", {"password1": first, "password2": second})
        assert why in text_of(refused)
    response = client.post(
        "/accounts/password/set/", {"password1": PASSWORD, "password2": PASSWORD}, follow=True
    )
    assert response.redirect_chain[-1][0] == f"/a/{world.owner.account.pk}/"
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302
    signed = client.post("/accounts/login/", {"login": "Owner@Example.net", "password": PASSWORD})
    assert (signed.status_code, signed["Location"]) == (302, "/")


def test_signing_in_leads_to_where_one_wanted(world: World) -> None:
    """Back to the page that asked for it, and nowhere outside."""
    with_password("owner@example.net")
    wanted = f"/a/{world.owner.account.pk}/journal/?target=203.0.113.7"
    for address, led in ((wanted, wanted), ("https://evil.example/", "/"), ("//evil.example", "/")):
        client = Client()
        page = client.get("/accounts/login/", {"next": address}).content.decode()
        assert f'name="next" value="{address}"' in page
        form = {"login": "owner@example.net", "password": PASSWORD, "next": address}
        assert client.post("/accounts/login/", form)["Location"] == led


def test_a_wrong_password_says_so(world: World) -> None:
    """And not whether the address is known."""
    with_password("owner@example.net")
    texts = {
        text_of(Client().post("/accounts/login/", {"login": login, "password": "wrong one"}))
        for login in ("owner@example.net", "nobody@example.net")
    }
    assert len(texts) == 1
    assert "do not go together" in texts.pop()


def test_nobody_signs_up_or_resets_by_mail(world: World) -> None:
    """People are let in by owners, and the address that memberships hang on stays."""
    for path in ("signup/", "password/reset/", "email/", "login/code/"):
        assert Client().get(f"/accounts/{path}").status_code == 404


def test_the_front_door(site: Visitors, world: World) -> None:
    """It leads to the first account: its overview, which says what comes first."""
    account = world.owner.account.pk

    def led_to(client: Client) -> str:
        chain: list[tuple[str, int]] = client.get("/", follow=True).redirect_chain
        return chain[-1][0]

    assert led_to(site.owner.client) == f"/a/{account}/"
    assert led_to(site.viewer.client) == f"/a/{account}/"
    assert "Add the first mail server" in text_of(site.owner.get("account"))


def test_somebody_in_no_account_is_told_so(site: Visitors, world: World) -> None:
    """With the address to be added by, and a way out."""
    User.objects.get(email="viewer@example.net").memberships.all().delete()
    response = site.viewer.client.get("/")
    assert "You are in no account" in text_of(response)
    assert "viewer@example.net" in text_of(response)


def test_several_accounts_can_be_switched(site: Visitors, world: World) -> None:
    """The switch stands in the side bar for those who are in several, and names only theirs."""
    assert 'popovertarget="accounts-side"' not in site.owner.get("listings").content.decode()
    other = create_account("Third", "third@example.org")
    set_role(other, "owner@example.net", Role.VIEWER)
    page = site.owner.get("listings").content.decode()
    assert f'href="/a/{other.account.pk}/"' in page
    assert "Other" not in text_of(site.owner.get("journal"))
    assert site.owner.client.get(f"/a/{other.account.pk}/listings/").status_code == 200


def test_changing_the_password(world: World) -> None:
    """The present one is asked for, and the session goes on."""
    with_password("owner@example.net")
    client = Client()
    client.force_login(User.objects.get(email="owner@example.net"))
    form = {"oldpassword": "wrong", "password1": "battery and staple", "password2": ""}
    form["password2"] = form["password1"]
    assert "current password" in text_of(client.post("/accounts/password/change/", form))
    form["oldpassword"] = PASSWORD
    done = client.post("/accounts/password/change/", form, follow=True)
    assert "The password is changed." in text_of(done)
    assert User.objects.get(email="owner@example.net").check_password("battery and staple")


@pytest.mark.parametrize("way", ["password", "link"])
def test_a_second_factor_is_asked_for_whatever_the_first(world: World, way: str) -> None:
    """Set up with an app, then a code is needed after the password, and after a link too."""
    with_password("owner@example.net")
    client = Client()
    client.post("/accounts/login/", {"login": "owner@example.net", "password": PASSWORD})
    assert "None is set up" in text_of(client.get("/accounts/two-factor/"))
    asked = client.get("/accounts/two-factor/totp/activate/", follow=True)
    assert "Your password, once more" in text_of(asked)
    page = client.post(asked.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    secret = client.session["mfa.totp.secret"]
    assert "data:image/svg+xml" in page.content.decode()
    form = {"code": app_code(secret)}
    done = client.post("/accounts/two-factor/totp/activate/", form, follow=True)
    assert "Recovery codes" in text_of(done)
    for path in ("", "recovery-codes/", "recovery-codes/generate/", "totp/deactivate/"):
        assert client.get(f"/accounts/two-factor/{path}").status_code == 200

    fresh = Client()
    if way == "password":
        form = {"login": "owner@example.net", "password": PASSWORD}
        response = fresh.post("/accounts/login/", form, follow=True)
    else:
        response = fresh.post(new_link("owner@example.net"), follow=True)
    assert "Second factor" in text_of(response)
    assert fresh.get(f"/a/{world.owner.account.pk}/listings/").status_code == 302
    assert "That is not the app" in text_of(
        fresh.post("/accounts/two-factor/authenticate/", {"code": "000000"})
    )
    signed = fresh.post("/accounts/two-factor/authenticate/", {"code": recovery_code(client)})
    assert (signed.status_code, signed["Location"]) == (302, "/")


@pytest.mark.parametrize(
    ("direct", "passed_on", "caller"),
    [
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7, unknown", "127.0.0.1"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
    ],
)
def test_whom_a_proxy_asks_for(direct: str, passed_on: str, caller: str) -> None:
    """One on this machine is believed what it put last; nobody else is."""
    request = RequestFactory().get("/", REMOTE_ADDR=direct, headers={"X-Forwarded-For": passed_on})
    assert caller_of(request) == caller


def test_tries_to_sign_in_are_counted_by_caller(settings: Any, db: None) -> None:
    """Behind a proxy one who guesses passwords locks nobody else out."""
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    fields = {"login": "nobody@example.net", "password": "wrong"}

    def sign_in(caller: str) -> int:
        headers = {"X-Forwarded-For": caller}
        return Client().post(reverse("account_login"), fields, headers=headers).status_code

    assert [sign_in(caller) for caller in ("203.0.113.7", "203.0.113.7")] == [200, 429]
    assert sign_in("203.0.113.8") == 200


def test_passkeys_are_named(world: World) -> None:
    """On the page that tells how one signs in; a name may look like markup."""
    with_password("owner@example.net")
    user = User.objects.get(email="owner@example.net")
    Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "<Laptop>", "credential": {}}
    )
    client = Client()
    client.force_login(user)
    assert "1 passkey: <Laptop>" in text_of(client.get("/accounts/two-factor/"))
