"""The ways of asking: what stands in our parameters, and how it is known again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import Conflict
from mailmum.postfix.current import Current
from mailmum.postfix.setup import Options, Way, plan, render
from mailmum.postfix.setup_ways import way_of
from tests.postfix.samples import KEY, ZONES
from tests.postfix.test_setup import run

SERVICE = "inet:192.0.2.53:10053"


def values(way: Way, *, trial: bool = False) -> dict[str, str]:
    """main.cf after a setup of an empty one."""
    options = Options(way=way, policy=SERVICE, trial=trial)
    return run({}, plan(ZONES, Current(explicit={}, defaults={}), options).lines)


@given(st.sampled_from(Way), st.booleans())
def test_a_way_is_known_again(way: Way, trial: bool) -> None:
    """So that the doctor does not ask for another; a second run changes nothing."""
    after = values(way, trial=trial)
    current = Current(explicit=after, defaults={})
    assert way_of(current) == (way, "" if way is Way.DNS else SERVICE)
    options = Options(way=way, policy=SERVICE, trial=trial)
    assert plan(ZONES, current, options).changes == ()


@pytest.mark.parametrize("way", [Way.POLICY, Way.BOTH])
def test_the_check_lets_mail_flow_when_it_is_away(way: Way) -> None:
    """And only that of the block may block."""
    after = values(way)
    check = f"check_policy_service {{ {SERVICE}, policy_context={KEY}"
    assert after["mailmum_allow"].endswith(f"{check}:allow, default_action=DUNNO, timeout=5s }}")
    assert after["mailmum_block"].endswith(f"{check}, default_action=DUNNO, timeout=5s }}")
    assert ("permit_dnswl_client" in after["mailmum_allow"]) == (way is Way.BOTH)
    assert ("reject_rbl_client" in after["mailmum_block"]) == (way is Way.BOTH)
    assert "warn_if_reject check_policy_service" in values(way, trial=True)["mailmum_block"]


def test_policy_alone_needs_no_resolver() -> None:
    """Nor is postscreen touched, which asks over DNS only."""
    current = Current(explicit={"postscreen_dnsbl_sites": "a.example"}, defaults={})
    made = plan(ZONES, current, Options(way=Way.POLICY, policy=SERVICE))
    assert not made.resolvers
    assert "postscreen_dnsbl_sites" not in made.changes
    text = render(made)
    assert "unbound" not in text
    assert "default_action=DUNNO" in text


def test_an_old_postfix_sends_no_context() -> None:
    """DNS can be set up there, the policy service not."""
    current = Current(explicit={"mail_version": "3.0.15"}, defaults={"mail_version": "3.0.15"})
    assert plan(ZONES, current, Options()).changes
    with pytest.raises(Conflict, match=r"3\.1"):
        plan(ZONES, current, Options(way=Way.BOTH))


def test_replies_are_written_for_lists_over_dns_only() -> None:
    """They would be one more file with the key. Those that stand are kept, with the present key."""
    for current in (None, Current(explicit={}, defaults={})):
        for way in Way:
            text = render(plan(ZONES, current, Options(way=way, policy=SERVICE)))
            assert ("rbl_reply" in text) == (way is not Way.POLICY)
    over_dns = Current(explicit=values(Way.DNS), defaults={})
    made = plan(ZONES, over_dns, Options(way=Way.POLICY, policy=SERVICE))
    assert "rbl_reply_maps" not in made.changes
    assert "mailmum_rbl_reply" in made.lines[0]
    assert any("postconf -X rbl_reply_maps" in line for line in made.undo)


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("current", [None, Current(explicit={}, defaults={})])
def test_only_what_concerns_the_way_is_told(way: Way, current: Current | None) -> None:
    """Without lists over DNS nothing of resolvers and of what smtpd keeps; the service likewise."""
    text = render(plan(ZONES, current, Options(way=way, policy=SERVICE)))
    for said in ("the resolver of the mail server", "keeps the answers of DNS lists", "stub-zone"):
        assert (said in text) == (way is not Way.POLICY)
    assert ("The policy service is asked for each recipient" in text) == (way is not Way.DNS)
