"""How a Postfix asks the policy service, and whether it asks over DNS, whoever wrote it there."""

import pytest

from mailmum.postfix.asking import Asking, askings, over_dns
from mailmum.postfix.current import Current, Override
from mailmum.postfix.setup import Options, Way, plan
from mailmum.postfix.setup_policy import POLICY, check
from tests.postfix.samples import KEY, ZONES
from tests.postfix.test_setup import run

AT = "inet:127.0.0.1:10053"
AWAY = "smtpd_policy_service_default_action"


def found(value: str, **explicit: str) -> list[Asking]:
    """What is asked where a list of restrictions has this."""
    return list(askings(Current({"smtpd_client_restrictions": value, **explicit}, {AWAY: "451 x"})))


@pytest.mark.parametrize("way", Way)
def test_what_setup_writes_is_known_as_its_own(way: Way) -> None:
    """One check where it allows, one where it blocks; and whether DNS is asked."""
    options = Options(way=way, policy=AT)
    after = run({}, plan(ZONES, Current(explicit={}, defaults={}), options).lines)
    current = Current(explicit=after, defaults={})
    wanted = [] if way is Way.DNS else [Asking(AT, KEY, own=True)] * 2
    assert list(askings(current)) == wanted
    assert over_dns(current, ZONES.base) == (way is not Way.POLICY)
    assert not over_dns(current, "other.example")


def test_what_the_page_of_a_server_shows() -> None:
    """The check stands in a parameter of its own."""
    current = Current({POLICY: check(KEY, "127.0.0.1:10053")}, {})
    assert list(askings(current)) == [Asking(AT, KEY)]


def test_whether_mail_flows_without_it() -> None:
    """By the check itself, or else by what holds for all checks; both may be in any case."""
    context = f"policy_context = {KEY}:allow"
    assert [one.flows for one in found(f"check_policy_service {{ {AT}, {context} }}")] == [False]
    for told in ("default_action=DUNNO", "default_action = dunno"):
        [one] = found(f"check_policy_service {{ {AT}, {context}, {told} }}")
        assert one == Asking(AT, KEY)
    [one] = found(f"check_policy_service {{{AT} {context}}}", **{AWAY: "dunno"})
    assert one.flows


@pytest.mark.parametrize(
    "spelled",
    [
        f"check_policy_service {{ {AT}, {{ policy_context = {KEY} }} {{default_action=DUNNO }} }}",
        f"CHECK_POLICY_SERVICE {{{AT},policy_context={KEY.upper()},default_action=dunno}}",
        f"check_policy_service, {{ {AT}\t{{policy_context={KEY}}} default_action=DUNNO no mail }}",
        f"check_policy_service {{ {AT}, policy_context=$ours, default_action=$away }}, permit",
        f"${{x?{{check_policy_service {{ {AT}, policy_context=$(ours) default_action=DUNNO }}}}}}",
        "check_policy_service { inet:$at, policy_context=${ours}, {default_action = $away} }",
    ],
)
def test_all_that_postfix_takes_for_a_check(spelled: str) -> None:
    """Attributes in braces, words in any case, and references as values."""
    more = {"ours": KEY, "away": "DUNNO", "at": "127.0.0.1:$port", "port": "10053"}
    assert found(spelled, **more) == [Asking(AT, KEY)]


def test_an_action_of_several_words_is_read_whole() -> None:
    """What stands in it is no attribute."""
    action = "{ default_action = 451 4.3.5 policy_context, away }"
    [one] = found(f"check_policy_service {{ {AT}, {action}, policy_context={KEY} }}, permit")
    assert one == Asking(AT, KEY, flows=False)


def test_the_context_of_all_checks() -> None:
    """Where a check has none of its own, an empty one included."""
    all_checks = {"smtpd_policy_service_policy_context": f"{KEY}:allow", AWAY: "DUNNO"}
    for spelled in (AT, f"{{ {AT} }}", f"{{{AT}, timeout=5s}}"):
        assert found(f"check_policy_service {spelled}, permit", **all_checks) == [Asking(AT, KEY)]
    for own in ("other", ""):
        [one] = found(f"check_policy_service {{ {AT}, policy_context={own} }}", **all_checks)
        assert one.key == own


@pytest.mark.parametrize("service", ["inet:mx1.example:policy", "inet:10053", "inet:[::1]:policy"])
def test_a_port_by_its_name_or_alone(service: str) -> None:
    """For checks and for lookups."""
    [one] = found(f"check_policy_service {{ {service}, policy_context={KEY} }}")
    [other] = found(f"check_client_access socketmap:{service}:{KEY}")
    assert (one.service, other.service, other.key) == (service, service, KEY)


@pytest.mark.parametrize(
    "broken", ["check_policy_service", "check_policy_service {", "check_policy_service { } }}", "$"]
)
def test_what_is_not_whole_asks_nobody(broken: str) -> None:
    """It is Postfix that complains about it."""
    assert not [one for one in found(broken) if one.service or one.key]


def test_a_parameter_that_refers_to_itself_ends() -> None:
    """Postfix refuses it; here it only must not go on for ever."""
    [one] = found(f"check_policy_service {{ {AT}, policy_context=$ours }}", ours="$ours$ours")
    assert one.service == AT


def test_lookups_of_socketmap() -> None:
    """Over a port or a path; a name of a map that is no key is somebody else's."""
    looked_up = f"check_client_access socketmap:{AT}:{KEY}, permit"
    assert found(looked_up) == [Asking(AT, KEY, lookup=True, flows=False)]
    [one] = found(f"check_client_access socketmap:unix:/run/mailmum/mx1:{KEY}")
    assert one.service == "unix:/run/mailmum/mx1"
    assert not found("check_client_access socketmap:inet:127.0.0.1:")


def test_what_a_single_service_sets_counts_too() -> None:
    """Of master.cf."""
    value = f"check_policy_service {{ {AT}, policy_context={KEY} }}, reject_rbl_client {ZONES.bl}"
    override = Override("submission/inet", "smtpd_client_restrictions", value)
    current = Current({}, {}, overrides=(override,))
    assert [one.key for one in askings(current)] == [KEY]
    assert over_dns(current, ZONES.base)
