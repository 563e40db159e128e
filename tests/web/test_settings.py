"""Parameters, people and tokens of an account."""

import re
import time

import pytest
from django.test import Client
from django.utils import timezone

from mailmum.control.accounts.access import Owning, access
from mailmum.control.accounts.models import Account, Membership, Role, Token, User
from mailmum.control.accounts.queries import access_by_token
from mailmum.control.accounts.services import (
    create_account,
    invitation,
    remove_person,
    set_role,
)
from mailmum.control.journal.models import Record
from mailmum.control.servers.services import add_server
from mailmum.control.traffic.models import Rewriting
from mailmum.control.traffic.terms import terms_of
from mailmum.domain.codes import parse_code
from mailmum.traffic.terms import Terms
from tests.support.world import World
from tests.web.conftest import Visitor, Visitors, text_of

TRAFFIC = {
    "recent_days": "14",
    "minute_days": "2",
    "hour_days": "35",
    "day_days": "400",
    "privacy": "full",
}
PARAMETERS = {"ttl": "60", "code": "", "text": "", "key_keep": "7d", "contact": "", **TRAFFIC}


def test_setting_parameters(site: Visitors, world: World) -> None:
    """What is typed is what stands, and is shown again."""
    given = {"ttl": "30", "code": "127.0.0.7", "key_keep": "1d12h", "contact": "a@example.net"}
    given["text"] = "We take no mail from there"
    response = site.owner.post("settings-set", given | TRAFFIC)
    assert "Saved the parameters" in text_of(response)
    account = Account.objects.get(pk=world.owner.account.pk)
    assert (account.ttl, account.key_keep) == (30, 129_600)
    assert account.text == given["text"]
    assert (account.code, account.contact) == (parse_code("127.0.0.7"), "a@example.net")
    for value in given.values():
        assert f'value="{value}"' in site.viewer.get("settings").content.decode()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("ttl", "", "is not a number of seconds"),
        ("ttl", "1h", "is not a number of seconds"),
        ("ttl", "0", "not between 1 and 86400"),
        ("ttl", "9" * 12, "is not a number of seconds"),
        ("code", "10.0.0.1", "outside 127.0.0.0/8"),
        ("key_keep", "soon", "is no length of time"),
        ("key_keep", "900d", "a year at most"),
        ("contact", "x" * 201, "201 characters"),
        ("contact", "a\x00", "control character"),
        ("text", "x" * 301, "301 characters"),
    ],
)
def test_parameters_that_are_refused(
    site: Visitors, world: World, field: str, value: str, says: str
) -> None:
    """Beside the field, and none of the others is saved."""
    response = site.owner.post("settings-set", {**PARAMETERS, "ttl": "30", field: value})
    assert says in "".join(response.context["form"][field].faults)
    assert Account.objects.get(pk=world.owner.account.pk).ttl == 60


def test_setting_terms_of_traffic(site: Visitors, world: World) -> None:
    """They hold for what is kept from then on, and the journal tells."""
    given = {
        "recent_days": "7",
        "minute_days": "1",
        "hour_days": "10",
        "day_days": "100",
        "privacy": "hashed",
    }
    assert "Saved the parameters" in text_of(
        site.owner.post("settings-set", {**PARAMETERS, **given})
    )
    account = Account.objects.get(pk=world.owner.account.pk)
    assert account.terms == terms_of(account.pk) == Terms(7, 1, 10, 100, "hashed")
    assert terms_of(world.outsider.account.pk) == Terms()
    page = site.viewer.get("settings").content.decode()
    assert '<option value="hashed" selected>' in page
    assert "What was kept before the change is being rewritten." in page
    Rewriting.objects.update(time=1_790_000_000_000)
    assert "is being rewritten: done up to" in text_of(site.viewer.get("settings"))
    other = Visitor(site.outsider.client, world.outsider.account.pk)
    assert "being rewritten" not in text_of(other.get("settings"))
    record = Record.objects.get(what="account.set")
    assert record.before is not None
    assert record.after is not None
    assert (record.before["privacy"], record.after["privacy"]) == ("full", "hashed")
    assert "mail addresses" in text_of(site.viewer.get("journal"))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("recent_days", "0", "0 days are not between 1 and 90"),
        ("recent_days", "two", "is not a number of days"),
        ("minute_days", "15", "not between 1 and 14"),
        ("hour_days", "13", "less than the 14 days of sightings"),
        ("day_days", "34", "less than the 35 days of hours"),
        ("privacy", "some", "is no way to keep mail addresses"),
        ("privacy", "", "is no way to keep mail addresses"),
    ],
)
def test_terms_that_are_refused(
    site: Visitors, world: World, field: str, value: str, says: str
) -> None:
    """Beside the field, and nothing is saved."""
    response = site.owner.post("settings-set", {**PARAMETERS, "ttl": "30", field: value})
    assert says in "".join(response.context["form"][field].faults)
    assert Account.objects.get(pk=world.owner.account.pk).ttl == 60


@pytest.mark.parametrize("who", ["admin", "viewer", "outsider"])
def test_terms_are_the_owners_alone(site: Visitors, world: World, who: str) -> None:
    """Nobody else changes them."""
    getattr(site, who).post("settings-set", {**PARAMETERS, "privacy": "hashed"})
    assert Account.objects.get(pk=world.owner.account.pk).privacy == "full"
    assert terms_of(world.owner.account.pk) == Terms()


def test_parameters_are_not_an_admins(site: Visitors) -> None:
    """Who may not change them sees them, greyed."""
    page = site.admin.get("settings")
    assert "Only owners can change these." in text_of(page)
    assert "disabled" in page.content.decode()


def test_adding_a_person(site: Visitors, world: World) -> None:
    """The owner gets a link to hand over, shown once, that lets the person in."""
    response = site.owner.post("person-add", {"email": " New@Example.net ", "role": "admin"})
    link = re.search(r"/enter/[\w-]+/", response.content.decode())
    assert link is not None
    assert "Hand this link to new@example.net." in text_of(response)
    assert link[0] not in site.owner.get("people").content.decode()
    fresh = Client()
    assert "Set a password" in text_of(fresh.post(link[0], follow=True))
    assert fresh.get(site.owner.path("listings")).status_code == 200


@pytest.mark.parametrize(
    ("email", "role", "field", "says"),
    [
        ("nobody", "viewer", "email", "is not an e-mail address"),
        ("", "viewer", "email", "is not an e-mail address"),
        ("a@example.net", "king", "role", "is no role"),
        ("owner@example.net", "viewer", "email", "is the only owner"),
    ],
)
def test_people_that_are_refused(
    site: Visitors, email: str, role: str, field: str, says: str
) -> None:
    """Beside the field, and nobody is added."""
    before = Membership.objects.count()
    response = site.owner.post("person-add", {"email": email, "role": role})
    assert says in "".join(response.context["form"][field].faults)
    assert Membership.objects.count() == before


def test_an_owner_cannot_get_into_somebody_elses_sign_in(site: Visitors, world: World) -> None:
    """No link for those who have a password, have signed in, or are in another account."""
    known = site.owner.post("person-add", {"email": "outsider@example.org", "role": "viewer"})
    assert "/enter/" not in known.content.decode()
    invited_elsewhere = create_account("Third", "third@example.org")
    set_role(invited_elsewhere, "shared@example.org", Role.ADMIN)
    for page in ("person-add", "person-link"):
        form = {"email": "shared@example.org", "role": "viewer"}
        assert "/enter/" not in site.owner.post(page, form).content.decode()
    warned = site.owner.post("person-link", {"email": "admin@example.net"})
    assert "can sign in already" in text_of(warned)
    assert "not in this account" in text_of(
        site.owner.post("person-link", {"email": "third@example.org"})
    )


def _offered(site: Visitors, email: str, role: str = "admin") -> str:
    """The link by which somebody joins the owner's account, without being in it yet."""
    page = site.owner.post("person-add", {"email": email, "role": role})
    link = re.search(r"/join/[\w:-]+/", page.content.decode())
    assert link is not None
    assert "They sign in here already" in text_of(page)
    assert not Membership.objects.filter(person__email=email, account=site.owner.account).exists()
    return link[0]


def test_who_was_let_in_elsewhere_joins_by_a_link(site: Visitors, world: World) -> None:
    """Once, as what was offered; only as who it was made for, and the journal says by whom."""
    link, where = _offered(site, "outsider@example.org"), site.outsider.path("listings")
    assert site.nobody.client.get(link)["Location"].startswith("/accounts/login/?next=/join/")
    for method in ("get", "post"):
        other = getattr(site.viewer.client, method)(link)
        assert other.status_code == 403
        assert "outsider@" not in text_of(other)
    assert site.outsider.client.get(where).status_code == 404
    assert "Join Example" in text_of(site.outsider.client.get(link))
    assert site.outsider.client.get(where).status_code == 404
    assert site.outsider.client.post(link)["Location"] == f"/a/{site.owner.account}/"
    assert site.outsider.client.get(where).status_code == 200
    assert "outsider@example.org is admin" in text_of(site.owner.get("journal"))
    set_role(world.owner, "outsider@example.org", Role.VIEWER)
    assert site.outsider.client.post(link).status_code == 404
    mine = Membership.objects.filter(account=site.owner.account)
    assert mine.get(person__email="outsider@example.org").role == "viewer"
    site.owner.post("person-remove", {"email": "outsider@example.org"})
    assert site.outsider.client.post(link).status_code == 404
    assert site.outsider.client.get(where).status_code == 404


def test_naming_an_address_lets_in_nobody_who_took_it(site: Visitors, world: World) -> None:
    """Another owner let it in, kept the link and signed in under it: that opens nothing here."""
    set_role(world.outsider, "victim@example.com", Role.VIEWER)
    secret = invitation(world.outsider, "victim@example.com")
    thief = Client()
    thief.post(f"/enter/{secret}/")
    _offered(site, "victim@example.com")
    site.owner.post("person-role", {"email": "victim@example.com", "role": "admin"})
    assert thief.get(site.owner.path("listings")).status_code == 404


@pytest.mark.parametrize("why", ["forged", "old", "owner-gone", "owner-less"])
def test_an_offer_holds_while_its_owner_stands_by_it(
    site: Visitors, world: World, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a day, and for as long as who offers it owns the account."""
    link = _offered(site, "outsider@example.org")
    if why == "forged":
        link = link[:-3] + ("aa/" if link[-3:-1] != "aa" else "bb/")
    elif why == "old":
        late = time.time() + 86_401
        monkeypatch.setattr("django.core.signing.time.time", lambda: late)
    else:
        set_role(world.owner, "admin@example.net", Role.OWNER)
        owner = access(User.objects.get(email="admin@example.net"), None, via="test")
        assert isinstance(owner, Owning)
        if why == "owner-gone":
            remove_person(owner, "owner@example.net")
        else:
            set_role(owner, "owner@example.net", Role.ADMIN)
    assert site.outsider.client.get(link).status_code == 404
    assert site.outsider.client.post(link).status_code == 404
    assert site.outsider.client.get(site.outsider.path("listings")).status_code == 404


def test_another_link_for_somebody_who_never_came(site: Visitors) -> None:
    """Until they have signed in for the first time."""
    site.owner.post("person-add", {"email": "new@example.net", "role": "viewer"})
    assert "never signed in" in text_of(site.viewer.get("people"))
    response = site.owner.post("person-link", {"email": "new@example.net"})
    link = re.search(r"/enter/[\w-]+/", response.content.decode())
    assert link is not None
    assert Client().post(link[0]).status_code == 302
    again = site.owner.post("person-link", {"email": "new@example.net"})
    assert "/enter/" not in again.content.decode()


def test_changing_a_role_and_removing(site: Visitors, world: World) -> None:
    """At once, and the last owner stays."""
    response = site.owner.post("person-role", {"email": "viewer@example.net", "role": "admin"})
    assert "viewer@example.net is admin now." in text_of(response)
    assert "use up to 80 letters" not in text_of(site.viewer.get("server-add"))
    site.owner.post("person-remove", {"email": "viewer@example.net"})
    assert site.viewer.get("listings").status_code == 404
    for page in ("person-remove", "person-role"):
        form = {"email": "owner@example.net", "role": "viewer"}
        assert "is the only owner" in text_of(site.owner.post(page, form))
    assert "is no role" in text_of(
        site.owner.post("person-role", {"email": "admin@example.net", "role": ""})
    )
    assert site.owner.get("listings").status_code == 200


def test_only_owners_have_the_buttons(site: Visitors) -> None:
    """Everybody sees who is in."""
    for visitor in (site.admin, site.viewer):
        page = visitor.get("people")
        assert "owner@example.net" in text_of(page)
        assert "people/remove/" not in page.content.decode()
        assert "people/add/" not in page.content.decode()


def test_making_a_token(site: Visitors, world: World) -> None:
    """The secret is shown in the answer and never again; it works, for reading only."""
    response = site.admin.post("token-add", {"name": "ci", "scope": "read", "life": "30d"})
    secret = re.search(r"mm_[0-9a-f]{40}", response.content.decode())
    assert secret is not None
    assert secret[0] not in site.admin.get("tokens").content.decode()
    found = access_by_token(secret[0], timezone.now())
    assert found is not None
    granted, token = found
    assert (granted.actor.person, token.writes) == (world.admin.actor.person, False)
    assert token.expires is not None
    assert 29 <= (token.expires - timezone.now()).days <= 30


def test_tokens_that_write_or_never_end(site: Visitors) -> None:
    """For those who may write; a viewer is refused."""
    form = {"name": "ci", "scope": "write", "life": ""}
    site.admin.post("token-add", form)
    made = Token.objects.get()
    assert (made.writes, made.expires) == (True, None)
    refused = site.viewer.post("token-add", form)
    assert "a viewer's token cannot have the scope write" in text_of(refused)
    assert "Read and write" not in text_of(site.viewer.get("tokens"))
    assert site.viewer.post("token-add", {**form, "scope": "read"}).status_code == 200
    assert Token.objects.count() == 2


def test_tokens_that_only_hand_in_logs(site: Visitors, world: World) -> None:
    """Of one's own server; it opens nothing else. Not for viewers, nor of a stranger's server."""
    add_server(world.owner, "mx1")
    add_server(world.outsider, "theirs")
    form = {"name": "mx1", "scope": "ship", "life": "", "server": "mx1"}
    response = site.admin.post("token-add", form)
    secret = re.search(r"mm_[0-9a-f]{40}", response.content.decode())
    assert secret is not None
    assert access_by_token(secret[0], timezone.now()) is None
    assert "hand in logs of mx1" in text_of(site.admin.get("tokens"))
    for server in ("theirs", ""):
        refused = site.admin.post("token-add", form | {"server": server})
        assert refused.context["form"]["server"].faults
    assert "viewers cannot change anything" in text_of(site.viewer.post("token-add", form))
    assert "Hand in logs" not in text_of(site.viewer.get("tokens"))
    assert Token.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": ""}, "name"), ({"name": "a\x00"}, "name"), ({"life": "x"}, "life")],
)
def test_tokens_that_are_refused(site: Visitors, change: dict[str, str], field: str) -> None:
    """Beside the field."""
    form = {"name": "ci", "scope": "read", "life": "30d"} | change
    response = site.admin.post("token-add", form)
    assert response.context["form"][field].faults
    assert not Token.objects.exists()


def test_revoking_a_token(site: Visitors, world: World) -> None:
    """One's own; an owner everybody's; nobody a stranger's."""
    for visitor in (site.owner, site.admin, site.admin):
        visitor.post("token-add", {"name": "ci", "scope": "read", "life": ""})
    owners, first, second = Token.objects.order_by("pk")
    assert site.admin.post("token-revoke", {}, number=owners.pk).status_code == 404
    assert len(site.admin.get("tokens").context["tokens"]) == 2
    assert "The token is revoked" in text_of(site.admin.post("token-revoke", {}, number=first.pk))
    site.owner.post("token-revoke", {}, number=second.pk)
    assert list(Token.objects.all()) == [owners]
    assert User.objects.filter(email="admin@example.net").exists()
