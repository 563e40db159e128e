"""A whole setup: what is run, run twice, and run backwards."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import Conflict
from mailmum.postfix.restrictions import parse
from mailmum.postfix.setup import Current, Options, Plan, ServerZones, Way, plan, render
from mailmum.postfix.setup_placement import LISTS
from tests.postfix.samples import KEY, ZONES, lists, zones_of

NEW_KEY = "newkeyabcdef2345"
ROTATED = zones_of(NEW_KEY)


def run(explicit: dict[str, str], commands: tuple[str, ...]) -> dict[str, str]:
    """What main.cf sets after the commands: a model of postconf -e and -X."""
    after = dict(explicit)
    for command in commands:
        words = shlex.split(command)
        if words[:2] == ["postconf", "-e"]:
            name, _, value = words[2].partition(" =")
            after[name] = value.strip()
        elif words[:2] == ["postconf", "-X"]:
            after.pop(words[2], None)
    return after


def setup(
    explicit: dict[str, str],
    zones: ServerZones = ZONES,
    *,
    trial: bool = False,
    postscreen: bool | None = None,
    way: Way = Way.DNS,
) -> Plan:
    """The plan for a main.cf that sets `explicit`."""
    options = Options(trial=trial, postscreen=postscreen, way=way)
    return plan(zones, Current(explicit=explicit, defaults={}), options)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, str]:
    """A main.cf as administrators have them, also strange ones."""
    names = draw(st.lists(st.sampled_from(LISTS), unique=True))
    explicit = {name: draw(lists()) for name in names}
    if draw(st.booleans()):
        explicit["more"] = draw(lists()).replace("$more", "permit_mynetworks")
    if draw(st.booleans()):
        explicit |= {"smtpd_restriction_classes": "strict", "strict": draw(lists())}
    if draw(st.booleans()):
        explicit["smtpd_delay_reject"] = "no"
    if draw(st.booleans()):
        explicit["rbl_reply_maps"] = draw(st.sampled_from(["hash:/r", "hash:/r, pcre:/s", ""]))
    if draw(st.booleans()):
        explicit["postscreen_dnsbl_sites"] = draw(st.sampled_from(["a.example*2 b.example", ""]))
    if draw(st.booleans()):
        explicit["postscreen_dnsbl_reply_map"] = "texthash:/names"
    return explicit


@given(configurations(), st.booleans(), st.sampled_from(Way))
def test_undo_gives_back_what_was(explicit: dict[str, str], screening: bool, way: Way) -> None:
    """Every parameter has its former value, and none is left over."""
    made = setup(explicit, postscreen=screening, way=way)
    assert run(run(explicit, made.lines), made.undo) == explicit


@given(configurations(), st.booleans(), st.booleans())
def test_a_second_run_changes_nothing(
    explicit: dict[str, str], screening: bool, trial: bool
) -> None:
    """Whatever stood before the first."""
    after = run(explicit, setup(explicit, postscreen=screening, trial=trial).lines)
    again = setup(after, postscreen=screening, trial=trial)
    assert again.changes == ()
    assert run(after, again.lines) == after


@given(configurations(), st.booleans())
def test_nothing_that_stands_is_dropped_or_reordered(
    explicit: dict[str, str], screening: bool
) -> None:
    """What is there afterwards, without our words, is what was there before."""
    after = run(explicit, setup(explicit, postscreen=screening).lines)
    for name, former in explicit.items():
        kept = [i.text for i in parse(after[name]) if not i.text.startswith("$mailmum")]
        stood = [i.text for i in parse(former)]
        remaining = iter(kept)
        if name == "postscreen_dnsbl_reply_map":
            assert former in after[name]
        else:
            assert all(text in remaining for text in stood), (former, after[name])


@given(configurations())
def test_the_undo_of_a_later_run_takes_us_out(explicit: dict[str, str]) -> None:
    """No parameter names us or a key any more."""
    after = run(explicit, setup(explicit).lines)
    later = setup(after, ROTATED)
    clean = run(run(after, later.lines), later.undo)
    assert not any("mailmum" in text for item in clean.items() for text in item)


@given(configurations())
def test_a_new_key_replaces_the_former_everywhere(explicit: dict[str, str]) -> None:
    """Nothing asks with the old one afterwards, and lists keep their shape."""
    after = run(explicit, setup(explicit, postscreen=True).lines)
    rotated = run(after, setup(after, ROTATED, postscreen=True).lines)
    assert not any(KEY in value for value in rotated.values())
    assert {n: v.replace(KEY, NEW_KEY) for n, v in after.items()} == rotated


def test_the_key_stands_in_our_own_parameters_only() -> None:
    """The administrator's lists refer to them."""
    after = run({}, setup({}, postscreen=True).lines)
    assert {name for name, value in after.items() if KEY in value} == {
        "mailmum_allow",
        "mailmum_block",
        "mailmum_sites",
        "mailmum_names",
    }


def test_what_is_referred_to_is_set_first_and_unset_last() -> None:
    """No list ever refers to a parameter that is not there."""
    made = setup({}, postscreen=True)
    sets = [line.split("'")[1].split(" ")[0] for line in made.lines if " -e " in line]
    assert sets.index("mailmum_block") < sets.index("smtpd_client_restrictions")
    unsets = [line.rpartition(" ")[2] for line in made.undo if " -X " in line]
    assert unsets.index("smtpd_client_restrictions") < unsets.index("mailmum_allow")


def test_leaving_the_trial_changes_only_how_blocks_act() -> None:
    """One parameter, no list."""
    trial = run({}, setup({}, trial=True).lines)
    assert "warn_if_reject" in trial["mailmum_block"]
    assert setup(trial).changes == ("mailmum_block",)


def test_postscreen_is_set_up_when_in_use_unless_told_otherwise() -> None:
    """By itself only where master.cf has it."""
    current = Current(explicit={}, defaults={}, services=("smtp inet n - y - 1 postscreen",))
    assert "postscreen_dnsbl_sites" in plan(ZONES, current, Options()).changes
    assert "postscreen_dnsbl_sites" not in plan(ZONES, current, Options(postscreen=False)).changes
    assert "postscreen_dnsbl_sites" not in setup({}).changes


def test_reply_tables_that_stand_come_after_ours() -> None:
    """A table that answers every name would otherwise show the key."""
    after = run({"rbl_reply_maps": "pcre:/all"}, setup({"rbl_reply_maps": "pcre:/all"}).lines)
    assert after["rbl_reply_maps"] == "texthash:/etc/postfix/mailmum_rbl_reply, pcre:/all"


def test_another_configuration_folder_is_named_in_every_command() -> None:
    """A second instance on the machine; blanks in its path are quoted."""
    made = plan(ZONES, Current(explicit={}, defaults={}), Options(config_dir="/etc/postfix 2"))
    for command in (*made.lines, *made.undo):
        assert "'/etc/postfix 2" in command or "'texthash:" in command or "-c" in command
    assert not any("/etc/postfix/" in command for command in (*made.lines, *made.undo))


def test_an_old_postfix_is_refused() -> None:
    """What it does not understand would be ignored, or stop it."""
    current = Current(explicit={}, defaults={"mail_version": "2.11.3"})
    with pytest.raises(Conflict, match=r"this is Postfix 2\.11\.3.*3\.0"):
        plan(ZONES, current, Options())


def test_the_text_is_a_shell_script() -> None:
    """The commands and nothing else remain when comments are taken away."""
    for current in (Current(explicit={}, defaults={}), None):
        made = plan(ZONES, current, Options(postscreen=True, trial=True))
        text = render(made)
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        table, rest = text.partition("'EOF'\n")[2].split("\nEOF\n")
        assert table.startswith("# Replies")
        commands = [line for line in rest.splitlines() if line and not line.startswith("#")]
        assert commands == list(made.lines[1:])


def test_the_text_tells_all_there_is_to_know() -> None:
    """Notes, the way back and every resolver."""
    made = setup({}, postscreen=True)
    flat = " ".join(render(made).replace("#", " ").split())
    for text in (*made.notes, *made.advice, *made.undo):
        assert " ".join(text.split()) in flat
    for recipe in made.resolvers:
        assert recipe.resolver in flat


def test_a_text_without_changes_says_so() -> None:
    """Running the setup again is a way to look."""
    assert "has all of it already" in render(setup(run({}, setup({}).lines)))


def test_elsewhere_nothing_that_may_be_set_is_touched() -> None:
    """Every parameter of the administrator is set only while it is empty."""
    made = plan(ZONES, None, Options(postscreen=True))
    for line in made.lines[1:-1]:
        name = line.partition("-e '")[2].split(" ")[0] or line.split("'")[1].split(" ")[0]
        assert name.startswith("mailmum_") or line.startswith(
            f'test -n "$(postconf -h {name})" || '
        )
    assert {i.parameter for i in made.insertions} >= {
        "smtpd_client_restrictions",
        "rbl_reply_maps",
        "postscreen_dnsbl_sites",
        "postscreen_dnsbl_reply_map",
    }


def test_elsewhere_it_says_where_to_insert_what() -> None:
    """Allow before other DNS lists, block after own people."""
    text = render(plan(ZONES, None, Options()))
    assert "Insert by hand" in text
    assert "$mailmum_allow, $mailmum_block after permit_mynetworks" in text
