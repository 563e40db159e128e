"""How postscreen weighs our lists among those that stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import Conflict
from mailmum.postfix.current import Current
from mailmum.postfix.setup_placement import Setting
from mailmum.postfix.setup_postscreen import screen, weights
from tests.postfix.samples import BASE, ZONES

SITES, REPLIES = "postscreen_dnsbl_sites", "postscreen_dnsbl_reply_map"


def screened(explicit: dict[str, str], *, trial: bool = False) -> dict[str, Setting]:
    """The settings that screening adds, by name."""
    settings, _ = screen(ZONES, Current(explicit=explicit, defaults={}), trial=trial)
    return {setting.name: setting for setting in settings}


def notes(explicit: dict[str, str], *, trial: bool = False) -> str:
    """What is told with them."""
    return " ".join(screen(ZONES, Current(explicit=explicit, defaults={}), trial=trial)[1])


@given(
    st.lists(st.integers(-9, 9), max_size=6),
    st.integers(1, 9),
    st.integers(-20, 0),
    st.data(),
)
def test_our_lists_decide_whatever_others_say(
    others: list[int], threshold: int, skip: int, data: st.DataObject
) -> None:
    """A block reaches the threshold alone against every other list, an allow never does."""
    sites = ", ".join(f"list{n}.example=127.0.0.[2..9]*{w}" for n, w in enumerate(others))
    block, allow = weights(sites, threshold, skip)
    said = data.draw(st.lists(st.sampled_from(others), unique=True) if others else st.just([]))
    assert block + sum(w for w in others if w < 0) >= threshold
    assert block + sum(said) >= threshold
    assert allow + sum(w for w in others if w > 0) < threshold
    assert skip == 0 or allow + sum(said) <= skip


def test_a_site_without_a_weight_counts_one() -> None:
    """As postscreen reads it, whatever the separators and filters."""
    assert weights("a.example b.example=127.0.0.2,\tc.example=127.0.0.[4;5]*2", 1) == (1, -14)


def test_sites_that_stand_are_kept_in_front() -> None:
    """Ours are added, the way back is what stood."""
    setting = screened({SITES: "zen.example*2, other.example"})[SITES]
    assert setting.value == "zen.example*2, other.example, $mailmum_sites"
    assert setting.clean == "zen.example*2, other.example"


def test_sites_are_added_once() -> None:
    """A second run changes nothing, and its way back takes ours out."""
    setting = screened({SITES: "zen.example*2, $mailmum_sites"})[SITES]
    assert setting.value == "zen.example*2, $mailmum_sites"
    assert setting.clean == "zen.example*2"
    assert screened({SITES: "$mailmum_sites"})[SITES].clean is None
    assert screened({SITES: ""})[SITES].clean == ""


@pytest.mark.parametrize(
    ("stands", "value", "clean"),
    [
        (None, "$mailmum_names", None),
        ("", "$mailmum_names", ""),
        ("$mailmum_names", "$mailmum_names", None),
        ("texthash:/r", "unionmap:{texthash:/r, $mailmum_names}", "texthash:/r"),
        (
            "unionmap:{texthash:/r, $mailmum_names}",
            "unionmap:{texthash:/r, $mailmum_names}",
            "texthash:/r",
        ),
    ],
)
def test_a_table_of_names_that_stands_is_kept(
    stands: str | None, value: str, clean: str | None
) -> None:
    """Only one table may be set, so ours joins it in a union, once."""
    explicit = {} if stands is None else {REPLIES: stands}
    setting = screened(explicit)[REPLIES]
    assert (setting.value, setting.clean) == (value, clean)


def test_threshold_and_action_are_the_administrators() -> None:
    """They are read, never set."""
    settings = screened({"postscreen_dnsbl_threshold": "3", "postscreen_dnsbl_action": "enforce"})
    assert set(settings) == {SITES, REPLIES, "mailmum_sites", "mailmum_names"}
    assert f"{ZONES.bl}=127.[0..254].[0..255].[0..255]*3" in settings["mailmum_sites"].value


def test_in_a_trial_a_block_weighs_nothing() -> None:
    """An action that enforces must not act on it; an allow still counts."""
    sites = screened({}, trial=True)["mailmum_sites"].value.split(", ")
    assert all(s.endswith("*0") for s in sites if s.startswith(ZONES.bl))
    assert all("*-" in s for s in sites if s.startswith(ZONES.wl))
    assert "trial" in notes({}, trial=True)


def test_a_postscreen_that_only_logs_is_told() -> None:
    """With `ignore`, the default, turning away is left to smtpd."""
    assert "`ignore`" in notes({})
    assert "`ignore`" not in notes({"postscreen_dnsbl_action": "enforce"})


def test_a_threshold_that_is_no_number_is_refused() -> None:
    """The message names it, and what to do."""
    with pytest.raises(Conflict, match=r"postscreen_dnsbl_threshold is \$limit.*set"):
        screened({"postscreen_dnsbl_threshold": "$limit"})


def test_a_former_key_is_replaced_among_the_sites() -> None:
    """Also where a hand wrote the zone itself."""
    setting = screened({SITES: f"formerkey123456.bl.{BASE}*2"})[SITES]
    assert setting.value == f"{ZONES.bl}*2, $mailmum_sites"
