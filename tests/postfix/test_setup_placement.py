"""Where the allow and the block go among the restrictions that stand."""

import pytest

from mailmum.postfix.current import Current, Override
from mailmum.postfix.setup_placement import Placement, place
from tests.postfix.samples import BASE, KEY, ZONES

ALLOW, BLOCK = "$mailmum_allow", "$mailmum_block"
CLIENT = "smtpd_client_restrictions"
RECIPIENT = "smtpd_recipient_restrictions"
OWN = "permit_mynetworks, permit_sasl_authenticated"
ZEN = "reject_rbl_client zen.example"


def placed(*overrides: Override, **explicit: str) -> Placement:
    """The decision for a main.cf that sets `explicit`."""
    return place(ZONES, Current(explicit=explicit, defaults={}, overrides=overrides))


def values(**explicit: str) -> dict[str, str]:
    """The lists as they shall be."""
    return {setting.name: setting.value for setting in placed(**explicit).settings}


def test_an_empty_configuration_gets_a_client_list_of_its_own() -> None:
    """The administrator's own people first, then the allow, then the block."""
    assert values() == {CLIENT: f"permit_mynetworks, permit_sasl_authenticated, {ALLOW}, {BLOCK}"}


@pytest.mark.parametrize(
    ("stands", "wanted"),
    [
        (
            "permit_mynetworks permit_sasl_authenticated",
            f"permit_mynetworks permit_sasl_authenticated, {ALLOW}, {BLOCK}",
        ),
        (f"{OWN}, {ZEN}", f"{OWN}, {ALLOW}, {BLOCK}, {ZEN}"),
        (
            "reject_unknown_client_hostname",
            f"reject_unknown_client_hostname, {OWN}, {ALLOW}, {BLOCK}",
        ),
        (ZEN, f"{ALLOW}, {ZEN}, {OWN}, {BLOCK}"),
        (
            f"{ZEN}, permit_mynetworks",
            f"{ALLOW}, {ZEN}, permit_mynetworks, permit_sasl_authenticated, {BLOCK}",
        ),
        (
            "permit_mynetworks, sleep 1, permit",
            f"permit_mynetworks, sleep 1, permit_sasl_authenticated, {ALLOW}, {BLOCK}, permit",
        ),
        (f"permit, {ZEN}", f"{OWN}, {ALLOW}, {BLOCK}, permit, {ZEN}"),
        (f"{OWN}, warn_if_reject {ZEN}", f"{OWN}, {ALLOW}, {BLOCK}, warn_if_reject {ZEN}"),
    ],
)
def test_the_home_list_keeps_all_that_stands(stands: str, wanted: str) -> None:
    """The block comes after own people; nothing is reordered, nothing gets weaker."""
    assert values(**{CLIENT: stands})[CLIENT] == wanted


def test_an_allow_stands_before_dns_lists_wherever_they_are() -> None:
    """A permit ends only its own list, so each list with a DNS list gets one."""
    wanted = values(
        smtpd_helo_restrictions="reject_rhsbl_helo names.example",
        smtpd_recipient_restrictions=(
            "permit_mynetworks, reject_unauth_destination, reject_rbl_client zen.example, "
            "reject_rbl_client other.example"
        ),
        smtpd_sender_restrictions="reject_unknown_sender_domain",
    )
    assert wanted["smtpd_helo_restrictions"] == f"{ALLOW}, reject_rhsbl_helo names.example"
    assert wanted[RECIPIENT] == (
        f"permit_mynetworks, reject_unauth_destination, {ALLOW}, reject_rbl_client zen.example, "
        "reject_rbl_client other.example"
    )
    assert wanted["smtpd_sender_restrictions"] == "reject_unknown_sender_domain"


def test_a_dns_list_hidden_in_a_parameter_is_found() -> None:
    """The allow goes before the reference, and the parameter stays as it is."""
    wanted = values(smtpd_recipient_restrictions="permit_mynetworks, $rbls", rbls="reject_maps_rbl")
    assert wanted[RECIPIENT] == f"permit_mynetworks, {ALLOW}, $rbls"
    assert "rbls" not in wanted


def test_restriction_classes_are_lists_too() -> None:
    """A class may be called from a table that nobody sees into."""
    wanted = values(
        smtpd_restriction_classes="strict, plain",
        strict="reject_unknown_helo_hostname, reject_rbl_client zen.example",
        plain="permit",
    )
    assert (
        wanted["strict"] == f"reject_unknown_helo_hostname, {ALLOW}, reject_rbl_client zen.example"
    )
    assert wanted["plain"] == "permit"


def test_a_list_that_ends_in_reject_is_never_opened() -> None:
    """An allow there would let strangers past `reject`; the administrator decides."""
    stands = "check_client_access cidr:/customers, reject_rbl_client zen.example, reject"
    placement = placed(smtpd_recipient_restrictions=stands)
    assert {s.name: s.value for s in placement.settings}[RECIPIENT] == stands
    assert any(RECIPIENT in note and "ends in `reject`" in note for note in placement.notes)


def test_a_class_used_by_a_list_that_ends_in_reject_is_left_alone() -> None:
    """A permit in the class would end that list as well."""
    placement = placed(
        smtpd_restriction_classes="strict",
        strict="reject_rbl_client zen.example",
        smtpd_recipient_restrictions="permit_mynetworks, strict, reject",
    )
    assert {s.name: s.value for s in placement.settings}[
        "strict"
    ] == "reject_rbl_client zen.example"


def test_a_closed_client_list_sends_the_block_elsewhere() -> None:
    """Behind a final reject it could do nothing, so the next list is its home."""
    placement = placed(smtpd_client_restrictions="permit_mynetworks, reject")
    wanted = {s.name: s.value for s in placement.settings}
    assert placement.home == "smtpd_helo_restrictions"
    assert wanted[CLIENT] == "permit_mynetworks, reject"
    assert wanted["smtpd_helo_restrictions"].endswith(f"{ALLOW}, {BLOCK}")


def test_without_a_home_the_administrator_is_told() -> None:
    """When every candidate is closed nothing is blocked, and that is said."""
    placement = placed(
        smtpd_client_restrictions="reject",
        smtpd_helo_restrictions="reject",
        smtpd_sender_restrictions="reject",
    )
    assert placement.home == ""
    assert any("by hand" in note for note in placement.notes)


def test_without_delayed_rejects_the_block_waits_for_sign_in() -> None:
    """At connect time nobody has signed in, so own people abroad would be blocked."""
    placement = placed(smtpd_delay_reject="no")
    assert placement.home == "smtpd_sender_restrictions"


def test_what_a_hand_moved_stays_where_it_does_its_work() -> None:
    """The block in another list, after own exceptions, is respected."""
    stands = f"permit_mynetworks, check_client_access hash:/ours, {ALLOW}, {BLOCK}, reject_maps_rbl"
    placement = placed(smtpd_recipient_restrictions=stands)
    assert placement.home == RECIPIENT
    assert {s.name: s.value for s in placement.settings} == {RECIPIENT: stands}


def test_an_allow_that_a_later_dns_list_overtook_is_moved() -> None:
    """Someone added a DNS list in front: the allow goes before it again."""
    stands = (
        f"reject_rbl_client new.example, permit_mynetworks, {ALLOW}, reject_rbl_client zen.example"
    )
    assert values(smtpd_recipient_restrictions=stands)[RECIPIENT] == (
        f"{ALLOW}, reject_rbl_client new.example, permit_mynetworks, reject_rbl_client zen.example"
    )


def test_an_allow_without_a_dns_list_is_taken_out() -> None:
    """When the third party's list has gone, the allow has nothing left to override."""
    assert (
        values(
            smtpd_recipient_restrictions=f"permit_mynetworks, {ALLOW}, reject_unauth_destination"
        )[RECIPIENT]
        == "permit_mynetworks, reject_unauth_destination"
    )


def test_own_zones_written_by_hand_get_the_new_key_and_no_allow() -> None:
    """They are no third party's, and a former key in them is replaced."""
    stands = f"permit_mynetworks, reject_rbl_client formerkey123456.bl.{BASE}"
    assert values(smtpd_recipient_restrictions=stands)[RECIPIENT] == (
        f"permit_mynetworks, reject_rbl_client {KEY}.bl.{BASE}"
    )


def test_what_an_allow_skips_is_told() -> None:
    """The restrictions after the allow are named, but not those that it cannot override."""
    placement = placed(
        smtpd_recipient_restrictions=(
            "reject_rbl_client zen.example, reject_unauth_destination, check_policy_service "
            "unix:private/quota, permit_auth_destination"
        )
    )
    (note,) = (n for n in placement.notes if "skip" in n)
    assert "check_policy_service unix:private/quota" in note
    assert "reject_unauth_destination" not in note
    assert "permit_auth_destination" not in note


def test_services_with_lists_of_their_own_are_told() -> None:
    """The commands reach main.cf only, so overrides in master.cf are named."""
    notes = placed(
        Override("submission/inet", CLIENT, "permit_sasl_authenticated,reject"),
        Override("smtp/inet", RECIPIENT, "reject_rbl_client zen.example"),
        Override("smtp/inet", "mynetworks", "127.0.0.0/8"),
        Override("25/inet", CLIENT, f"{ALLOW}, {BLOCK}"),
    ).notes
    assert len(notes) == 2
    assert "submission/inet" in notes[0]
    assert "smtp/inet" in notes[1]


def test_the_way_back_unsets_a_list_that_only_we_needed() -> None:
    """Own people in front of nothing do nothing."""
    (setting,) = placed(smtpd_client_restrictions=f"{OWN}, {ALLOW}, {BLOCK}").settings
    assert setting.clean is None
