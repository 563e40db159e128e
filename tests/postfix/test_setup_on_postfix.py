"""The setup on a real Postfix: what is printed is run, then mail is sent.

The zones are held by a name server of the test's own, so that every answer is the test's to give.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mailmum.postfix.current import QUESTIONS
from mailmum.postfix.setup import Current, Options, Plan, plan, render
from tests.postfix.samples import BASE, KEY, ZONES, zones_of
from tests.support.postfix import Postfix, postfix
from tests.support.postfix_dns import NameServer, Zone, name_server
from tests.support.smtp import Reply, Visitor

THIRD = "rbl.third.example"
STANDS = {
    "smtpd_helo_restrictions": "reject_invalid_helo_hostname",
    "smtpd_relay_restrictions": "",
    "smtpd_recipient_restrictions": (
        f"permit_mynetworks, reject_unauth_destination, reject_rbl_client {THIRD}, "
        "check_recipient_access inline:{owner@example.net=dunno}"
    ),
    "rbl_reply_maps": f"inline:{{ {{{THIRD} = $$rbl_code Third party says no; $$rbl_what}} }}",
    "postscreen_dnsbl_sites": f"{THIRD}=127.0.0.[2..9]*2",
    "postscreen_dnsbl_threshold": "2",
    "postscreen_dnsbl_action": "enforce",
    "postscreen_dnsbl_reply_map": f"inline:{{ {{{THIRD} = third}} }}",
}
BLOCKED, ALLOWED, LISTED, BOTH = "203.0.113.7", "203.0.113.8", "198.51.100.1", "198.51.100.2"
STRANGER = "203.0.113.200"


@dataclass
class World:
    """A Postfix, its name server, and the lists it asks."""

    postfix: Postfix
    dns: NameServer
    lists: dict[str, Zone]

    def plan(self, key: str = KEY, *, trial: bool = False) -> Plan:
        """A plan for the configuration as it is now."""
        current = Current.read({k: self.postfix.postconf(o) for k, o in QUESTIONS.items()})
        options = Options(config_dir=str(self.postfix.config), trial=trial)
        return plan(zones_of(key), current, options)

    def send(self, address: str, **names: str) -> Reply:
        """The reply that decides on one message."""
        return self.postfix.deliver(Visitor(address, **names))

    def send_to(self, recipient: str, address: str) -> Reply:
        """The reply that decides on one message to somebody."""
        return self.postfix.deliver(Visitor(address), recipient)

    def send_screened(self, address: str) -> Reply:
        """The reply that decides when postscreen stands in front."""
        return self.postfix.deliver_screened(Visitor(address))[-1]


def lists_of(key: str) -> dict[str, Zone]:
    """Our four lists, held by the test's name server, with some entries."""
    zones = zones_of(key)
    lists = {
        "bl": Zone(zones.bl, reason="Sends spam. See https://rbl.example.net/why/ref/client"),
        "wl": Zone(zones.wl, reason="A customer"),
        "dbl": Zone(zones.dbl, reason="Spam house"),
        "dwl": Zone(zones.dwl, reason="A friend"),
    }
    lists["bl"].list_address(BLOCKED)
    lists["bl"].list_address("2001:db8:bad::1", "127.0.0.3")
    lists["wl"].list_address(ALLOWED)
    lists["wl"].list_address(BOTH)
    lists["dbl"].listed |= {"mail.spam.example": "127.0.1.3"}
    lists["dwl"].listed |= {"mail.friend.example": "127.0.1.2"}
    return lists


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A Postfix with lists of its own, set up by what is printed, as a shell runs it."""
    lists = lists_of(KEY)
    third = Zone(THIRD)
    for address in (LISTED, BOTH, ALLOWED):
        third.list_address(address)
    with (
        name_server(*lists.values(), third) as dns,
        postfix(dns.address, STANDS, postscreen=True) as server,
    ):
        made = World(server, dns, lists)
        server.shell(render(made.plan()))
        yield made


@pytest.mark.parametrize(
    ("visitor", "text"),
    [
        (Visitor(BLOCKED), f"Client host [{BLOCKED}] blocked using bl.{BASE}; Sends spam."),
        (
            Visitor("2001:db8:bad::1"),
            f"Client host [2001:db8:bad::1] blocked using bl.{BASE}; Sends spam.",
        ),
        (
            Visitor(STRANGER, name="mail.spam.example"),
            f"Client host [mail.spam.example] blocked using dbl.{BASE}; Spam house",
        ),
        (
            Visitor(STRANGER, reverse="mail.spam.example"),
            f"Client host [mail.spam.example] blocked using dbl.{BASE}; Spam house",
        ),
        (
            Visitor(STRANGER, helo="mail.spam.example"),
            f"Helo command [mail.spam.example] blocked using dbl.{BASE}; Spam house",
        ),
    ],
)
def test_blocked_clients_get_the_public_reason(world: World, visitor: Visitor, text: str) -> None:
    """554 with the reason and without the key, by address of either version and by each name."""
    reply = world.postfix.deliver(visitor)
    assert reply.code == 554
    assert text in reply.text
    assert KEY not in reply.text


def test_what_is_not_listed_is_accepted(world: World) -> None:
    """Strangers, over either version of the protocol."""
    assert world.send(STRANGER).code == 250
    assert world.send("2001:db8::1").code == 250


def test_an_allow_overrides_a_third_party(world: World) -> None:
    """The third party's list still rejects everybody else, with its own reply."""
    assert "Third party says no" in str(world.send(LISTED))
    assert world.send(BOTH).code == 250


def test_an_allowed_name_overrides_only_when_confirmed(world: World) -> None:
    """The name that the DNS confirms counts, a name that is merely claimed does not."""
    friend = "mail.friend.example"
    assert world.send(LISTED, name=friend).code == 250
    assert world.send(LISTED, reverse=friend).code == 554
    assert world.send(LISTED, helo=friend).code == 554


def test_an_allow_beats_a_blocked_name(world: World) -> None:
    """An allowed address with a blocked HELO name is accepted."""
    assert world.send(ALLOWED, helo="mail.spam.example").code == 250


def test_an_allowed_client_can_never_relay(world: World) -> None:
    """Even with the allow before, and no relay restrictions but those in the recipient list."""
    assert world.postfix.postconf("-h", "smtpd_relay_restrictions").strip() == ""
    reply = world.send_to("someone@elsewhere.example", ALLOWED)
    assert (reply.code, "Relay access denied" in reply.text) == (554, True)


def test_an_allowed_client_is_still_told_of_unknown_recipients(world: World) -> None:
    """An allow is about who sends, not about who receives."""
    assert "User unknown" in str(world.send_to("nobody@example.net", ALLOWED))


def test_own_people_are_never_blocked(world: World) -> None:
    """A client of mynetworks is let through whatever the lists say."""
    world.lists["bl"].list_address("192.0.2.9")
    assert world.send("192.0.2.9").code == 250


@pytest.mark.parametrize(
    ("code", "reply"),
    [("127.0.0.99", 554), ("127.255.254.9", 554), ("127.255.255.254", 250), ("192.0.2.1", 250)],
)
def test_only_codes_of_listings_count(world: World, code: str, reply: int) -> None:
    """Any code that a listing may have blocks; errors and a hijacked answer do not."""
    address = f"203.0.113.{20 + sum(map(int, code.split('.'))) % 100}"
    world.lists["bl"].list_address(address, code)
    assert world.send(address).code == reply


def test_what_stood_still_stands(world: World) -> None:
    """Restrictions and tables of before are there, in their order."""
    value = world.postfix.postconf("-h", "smtpd_recipient_restrictions").strip()
    assert value.replace("$mailmum_allow, ", "") == STANDS["smtpd_recipient_restrictions"]
    assert "reject_invalid_helo_hostname" in world.postfix.postconf("smtpd_helo_restrictions")
    assert world.send(STRANGER, helo="in_valid..helo").code == 501


def test_postscreen_rejects_by_the_public_name(world: World) -> None:
    """The threshold of 2 that stood is reached by our block alone."""
    reply = world.send_screened(BLOCKED)
    assert reply.code == 550
    assert f"blocked using bl.{BASE}" in reply.text


def test_postscreen_lets_an_allow_outweigh_a_third_party(world: World) -> None:
    """The third party alone rejects, under the name that stood in the table."""
    assert "blocked using third" in str(world.send_screened(LISTED))
    assert world.send_screened(BOTH).code == 250


def test_a_second_run_changes_nothing(world: World) -> None:
    """The printed text run again leaves main.cf as it is, to the byte."""
    before = world.postfix.main_cf
    again = world.plan()
    assert again.changes == ()
    world.postfix.shell(render(again))
    assert world.postfix.main_cf == before


def test_replies_and_reject_lines_never_show_the_key(world: World) -> None:
    """Only what notes say of: lookups that fail, and dnsblog."""
    for visitor in (Visitor(BLOCKED), Visitor(STRANGER, helo="mail.spam.example")):
        assert world.postfix.deliver(visitor).code == 554
    world.send_screened(BLOCKED)
    lines = [line for line in world.postfix.log.splitlines() if "reject" in line]
    assert lines
    assert not any(KEY in line for line in lines)


@pytest.fixture
def fresh() -> Iterator[World]:
    """A Postfix of the test's own that nothing has been set up on."""
    lists = lists_of(KEY)
    third = Zone(THIRD)
    third.list_address(LISTED)
    with name_server(*lists.values(), third) as dns, postfix(dns.address, STANDS) as server:
        yield World(server, dns, lists)


def test_undo_leaves_no_trace(fresh: World) -> None:
    """main.cf is the same to the byte, the folder has the same files, and mail flows."""
    server = fresh.postfix
    before, files = server.main_cf, sorted(p.name for p in server.config.iterdir())
    made = fresh.plan()
    server.run(made.lines)
    assert fresh.send(BLOCKED).code == 554
    server.run(made.undo)
    assert server.main_cf == before
    assert sorted(p.name for p in server.config.iterdir()) == files
    assert fresh.send(BLOCKED).code == 250


def test_a_trial_logs_and_accepts(fresh: World) -> None:
    """reject_warning lines, no reject; an allow acts already; then it is enforced."""
    fresh.postfix.run(fresh.plan(trial=True).lines)
    assert fresh.send(BLOCKED).code == 250
    log = fresh.postfix.await_log(lambda text: "reject_warning" in text)
    assert any("reject_warning" in x and f"[{BLOCKED}]" in x for x in log.splitlines())
    assert fresh.send(LISTED).code == 554
    fresh.postfix.run(fresh.plan().lines)
    assert fresh.send(BLOCKED).code == 554


def test_a_new_key_takes_over(fresh: World) -> None:
    """After the setup with the new key nothing asks with the old one."""
    fresh.postfix.run(fresh.plan().lines)
    new = lists_of("newkeyabcdef2345")
    fresh.dns.zones += new.values()
    fresh.postfix.run(fresh.plan("newkeyabcdef2345").lines)
    fresh.dns.asked.clear()
    reply = fresh.send(BLOCKED)
    assert reply.code == 554
    assert KEY not in fresh.postfix.main_cf
    assert not any(KEY in question for question in fresh.dns.asked)
    assert "newkey" not in reply.text


def test_with_the_service_down_mail_flows(fresh: World) -> None:
    """Strangers and the blocked are accepted; a third party's reject becomes "try again"."""
    fresh.postfix.run(fresh.plan().lines)
    for own in fresh.lists.values():
        fresh.dns.zones.remove(own)
    fresh.dns.forwards[BASE] = ("127.0.0.1", 9)
    assert fresh.send(STRANGER).code == 250
    assert fresh.send(BLOCKED).code == 250
    assert fresh.send(LISTED).code == 450
    assert fresh.send_to("nobody@example.net", STRANGER).code == 450


def test_smtpd_keeps_answers_until_a_reload(fresh: World) -> None:
    """The limit that the notes tell of: the same process does not ask twice."""
    # One process only: the next client must not come to another that has not asked yet.
    fresh.postfix.configure(max_use="100", default_process_limit="1")
    fresh.postfix.run(fresh.plan().lines)
    assert fresh.send(BLOCKED).code == 554
    fresh.lists["bl"].listed.clear()
    assert fresh.send(BLOCKED).code == 554
    fresh.postfix.reload()
    assert fresh.send(BLOCKED).code == 250


def test_without_delayed_rejects_it_works_too(fresh: World) -> None:
    """The block then acts at MAIL FROM, after a client could sign in."""
    fresh.postfix.configure(smtpd_delay_reject="no")
    fresh.postfix.run(fresh.plan().lines)
    reply = fresh.send(BLOCKED)
    assert reply.code == 554
    assert f"blocked using bl.{BASE}" in reply.text
    assert fresh.send(STRANGER, helo="mail.spam.example").code == 554
    assert fresh.send(ALLOWED).code == 250


def test_elsewhere_the_lines_do_on_a_postfix_without_lists() -> None:
    """Run blindly they set up a plain Postfix, and leave alone what is set on another."""
    lists = lists_of(KEY)
    with name_server(*lists.values()) as dns, postfix(dns.address) as server:
        world = World(server, dns, lists)
        made = plan(ZONES, None, Options(config_dir=str(server.config)))
        server.run(made.lines)
        assert world.send(BLOCKED).code == 554
        server.run(made.undo)
        assert world.send(BLOCKED).code == 250
        server.configure(smtpd_client_restrictions="reject_unauth_pipelining")
        server.run(made.lines)
        assert server.postconf("-h", "smtpd_client_restrictions") == "reject_unauth_pipelining\n"
