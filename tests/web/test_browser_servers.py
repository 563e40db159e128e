"""Setting up, pausing, removal requests and passkeys in Chromium, served by `mailmum up`."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from dns.message import make_query
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    LOOKS,
    Look,
    chromium,
    grave_violations,
    scrolls_sideways,
    watching,
)
from tests.support.service import Service, service

PASSWORD = "correct horse staple"
EVIL = "<img src=x onerror=alert(1)> we mended it"
DESK, PHONE = LOOKS[0], LOOKS[3]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a network that is blocked.

    Reached as localhost: browsers know no passkeys for addresses.
    """
    with service(tmp_path_factory.mktemp("servers")) as made:
        made.run("block", "203.0.113.0/24", "--reason", "Sent spam")
        yield made


@pytest.fixture(scope="module")
def url(running: Service) -> str:
    """The site by its name."""
    return running.url.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all of this file."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def signed_in(running: Service, browser: Browser, url: str) -> Any:
    """The cookies of the owner, who has set a password."""
    with watching(browser, url, DESK) as page:
        page.goto(running.sign_in_link().replace("127.0.0.1", "localhost"))
        page.get_by_role("button", name="Sign in as").click()
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Set it and go on").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
        return page.context.storage_state()


def sound(page: Page) -> None:
    """Accessible, and no wider than its window."""
    assert not grave_violations(page)
    assert not scrolls_sideways(page)


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_a_server_is_set_up_and_says_so(
    running: Service, browser: Browser, signed_in: Any, url: str, look: Look
) -> None:
    """One chooses the way and the resolver; the page tells by itself when the first lookup came."""
    name = f"mx{LOOKS.index(look)}"
    with watching(browser, url, look, state=signed_in) as page:
        page.goto(f"{url}/a/1/servers/add/")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Add the server").click()
        page.get_by_role("link", name="Both", exact=True).click()
        expect(page.locator("#setup-lines")).to_contain_text("check_policy_service")
        assert page.locator("#setup-lines").evaluate(
            "one => { const lines = one.getBoundingClientRect(),"
            " button = one.nextElementSibling.getBoundingClientRect();"
            " return lines.right <= button.left || button.bottom <= lines.top"
            " + parseFloat(getComputedStyle(one).paddingTop); }"
        )
        page.get_by_role("link", name="dnsmasq", exact=True).click()
        expect(page.locator("#resolver-lines")).to_contain_text("server=/mailmum.internal/")
        lamp = page.locator(".lamp")
        expect(lamp).to_contain_text("Waiting for the first lookup")
        sound(page)
        zone = page.locator("#zone-wl").inner_text()
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
            asking.sendto(make_query(f"9.2.0.192.{zone}", "A").to_wire(), running.dns)
        expect(lamp).to_contain_text("It asks")
        expect(lamp).to_contain_text("allowed addresses")
        expect(page.locator("#setup-steps .done")).to_have_count(4)
        expect(page.locator("#server-state")).to_contain_text("asked")
        sound(page)


@pytest.mark.parametrize("look", [DESK, PHONE], ids=str)
def test_pausing_and_resuming(browser: Browser, signed_in: Any, url: str, look: Look) -> None:
    """The way there is in the navigation of every page; every page says so then, with a button."""
    with watching(browser, url, look, state=signed_in) as page:
        page.goto(f"{url}/a/1/listings/")
        if look.phone:
            page.get_by_role("button", name="More").click()
        page.locator("#menu" if look.phone else ".app > .side").get_by_role(
            "link", name="Pause blocking"
        ).click()
        expect(page.get_by_text("1 listing that blocks in this account")).to_be_visible()
        assert (
            page.locator(".lives label").evaluate_all(
                "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
            )
            == 0
        )
        sound(page)
        page.get_by_text("Other", exact=True).click()
        page.get_by_role("button", name="Pause all blocking").click()
        expect(page.locator("#f-other-e")).to_contain_text("no time is given")
        page.get_by_text("4 hours", exact=True).click()
        page.get_by_role("button", name="Pause all blocking").click()
        for part in ("listings/", "live/", "client/?q=203.0.113.7"):
            page.goto(f"{url}/a/1/{part}")
            expect(page.locator(".halted")).to_be_in_viewport()
        expect(page.locator(".verdicts")).to_contain_text("Blocking is paused for the account")
        sound(page)
        page.get_by_role("button", name="Resume").click()
        expect(page.locator(".halted")).to_have_count(0)
        expect(page.locator(".verdicts")).to_contain_text("203.0.113.0/24 blocked")


# One address may ask three times an hour: so often is asked in this file.
@pytest.mark.parametrize("look", [DESK, PHONE], ids=str)
def test_a_rejected_sender_asks_and_reads_the_answer(
    running: Service, browser: Browser, signed_in: Any, url: str, look: Look
) -> None:
    """The form, the badge, the impact beside it, an answer; a stranger's markup stays text."""
    number = LOOKS.index(look)
    client, name = f"203.0.113.{number}", f"asked{number}"
    ref = running.json("server", "add", name)["ref"]
    with watching(browser, url, look) as stranger:
        stranger.goto(f"{url}/why/{ref}/{client}")
        sound(stranger)
        stranger.get_by_label("What was wrong").fill(EVIL)
        stranger.get_by_role("button", name="Ask for removal").click()
        expect(stranger.get_by_role("status")).to_contain_text("reached the administrator")
        answered = stranger.url
    with watching(browser, url, look, state=signed_in) as page:
        page.goto(f"{url}/a/1/requests/")
        sound(page)
        expect(page.locator("td .says")).to_have_text(EVIL)
        page.get_by_role("link", name=client, exact=True).click()
        expect(page.locator("blockquote")).to_have_text(EVIL)
        expect(page.locator(".beside")).to_contain_text("Nothing was seen of it")
        sound(page)
        page.get_by_label("What they may read").fill("Not before Monday.")
        page.get_by_role("button", name="Decline").click()
        expect(page.locator(".toasts")).to_contain_text(f"Declined for {client}.")
    with watching(browser, url, look) as stranger:
        stranger.goto(answered)
        expect(stranger.get_by_role("status")).to_contain_text("Not before Monday.")


def test_asking_without_script(running: Service, browser: Browser, url: str) -> None:
    """The form is a form."""
    ref = running.json("server", "add", "plain")["ref"]
    look = Look(390, 844, "light", script=False)
    with watching(browser, url, look, expected=("422",)) as page:
        page.goto(f"{url}/why/{ref}/192.0.2.1")
        expect(page.get_by_role("heading", name="is not refused here")).to_be_visible()
        page.goto(f"{url}/why/{ref}/203.0.113.200")
        page.get_by_label("What was wrong").fill("mended")
        page.get_by_label("Your e-mail").fill("postmaster@sender")
        page.get_by_role("button", name="Ask for removal").click()
        expect(page.locator("#f-reply_to-e")).to_contain_text("is not an e-mail address")
        page.get_by_label("Your e-mail").fill("postmaster@sender.example")
        page.get_by_role("button", name="Ask for removal").click()
        expect(page.get_by_role("status")).to_contain_text("reached the administrator")


def plug_in(page: Page) -> None:
    """An authenticator that says yes to everything."""
    keys = page.context.new_cdp_session(page)
    keys.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    keys.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_passkey_signs_in_and_is_a_second_factor(
    browser: Browser, signed_in: Any, url: str
) -> None:
    """Added with a virtual authenticator; alone then, and after the password too."""
    with watching(browser, url, DESK, state=signed_in) as page:
        plug_in(page)
        page.goto(f"{url}/accounts/two-factor/")
        sound(page)
        page.get_by_role("link", name="Add a passkey").click()
        # The session began with a link: how one signs in is changed with the password only.
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.get_by_label("Name", exact=True).fill("Laptop")
        sound(page)
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
        page.goto(f"{url}/accounts/two-factor/webauthn/")
        expect(page.locator(".own-keys")).to_contain_text("Laptop")
        expect(page.locator(".own-keys")).to_contain_text("alone")
        sound(page)

        page.context.clear_cookies()
        page.goto(f"{url}/accounts/login/")
        sound(page)
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()

        page.context.clear_cookies()
        page.goto(f"{url}/accounts/login/")
        page.get_by_label("E-mail address").fill("owner@localhost")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
        sound(page)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()

        page.goto(f"{url}/accounts/two-factor/webauthn/")
        page.get_by_role("link", name="Remove Laptop").click()
        page.get_by_role("link", name="Use a security key").click()
        expect(page.get_by_role("heading", name="Your passkey, once more")).to_be_visible()
        sound(page)
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_role("button", name="Remove it").click()
        expect(page.get_by_text("None yet.")).to_be_visible()


def test_a_browser_that_has_no_passkey_says_so(
    running: Service, browser: Browser, signed_in: Any
) -> None:
    """At an address it cannot have one; the reason stands beside the button."""
    with watching(browser, running.url, PHONE) as page:
        page.goto(f"{running.url}/accounts/login/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("for sites with a name only")
        sound(page)


def test_commands_break_between_words(
    running: Service, browser: Browser, signed_in: Any, url: str
) -> None:
    """Not at a hyphen in an option or a name, and they are copied as they are typed."""
    name = "mail-server-of-the-old-office.eu-central.backup.example.net"
    running.run("server", "add", name)
    with watching(browser, url, PHONE, state=signed_in) as page:
        page.goto(f"{url}/a/1/server/{name}/")
        for command in (f"mailmum doctor --server {name}", f"mailmum ship --server {name} /var"):
            shown = page.locator("code", has_text=command)
            expect(shown).to_be_visible()
            broken = shown.locator(".w:not(:has(.w))").evaluate_all(
                "words => words.filter(word => { const whole = document.createRange();"
                " whole.selectNodeContents(word); return whole.getClientRects().length > 1; })"
                ".map(word => word.textContent)"
            )
            assert broken == []
            assert shown.evaluate(
                "one => { getSelection().selectAllChildren(one); return `${getSelection()}`; }"
            ).startswith(command)
        assert not scrolls_sideways(page)
    running.run("server", "remove", name)
