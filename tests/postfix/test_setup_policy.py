"""The lines for the policy service, run by a shell against a real postconf."""

import os
import subprocess
from pathlib import Path

import pytest

from mailmum.postfix.setup import Options, Plan, plan
from mailmum.postfix.setup_policy import POLICY, policy_plan
from tests.postfix.samples import KEY, ZONES

ENDPOINT = "192.0.2.53:10053"
HOME = "smtpd_client_restrictions"
OWN = "permit_mynetworks, permit_sasl_authenticated"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A Postfix configuration that sets little."""
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    (tmp_path / "master.cf").write_text("")
    return tmp_path


def planned(*, both: bool = False) -> Plan:
    """The plan, for the policy service alone or beside DNS."""
    options = Options(config_dir="")
    beside = plan(ZONES, None, options) if both else None
    return policy_plan(ZONES.name, KEY, ENDPOINT, beside=beside)


def run(config: Path, lines: tuple[str, ...]) -> None:
    """What an administrator pastes, except that no Postfix is there to be reloaded."""
    script = "\n".join(line.replace("/etc/postfix", str(config)) for line in lines)
    script = script.replace("postfix check && postfix reload", "true")
    environment = os.environ | {"MAIL_CONFIG": str(config)}
    subprocess.run(["/bin/sh", "-e", "-c", script], check=True, env=environment)


def value(config: Path, name: str) -> str:
    """What postconf reads."""
    done = subprocess.run(
        ["postconf", "-c", config, "-h", name], check=False, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("both", [False, True])
def test_lines_set_it_up_twice_over_and_the_way_back_restores(config: Path, both: bool) -> None:
    """Pasted again they change nothing; afterwards main.cf is what it was."""
    before = (config / "main.cf").read_text()
    made = planned(both=both)
    run(config, made.lines)
    once = (config / "main.cf").read_text()
    run(config, made.lines)
    assert (config / "main.cf").read_text() == once
    dns = ", $mailmum_allow, $mailmum_block" if both else ""
    assert value(config, HOME) == f"{OWN}, $mailmum_policy{dns}"
    assert f"policy_context={KEY}" in value(config, POLICY)
    assert f"inet:{ENDPOINT}" in value(config, POLICY)
    assert bool(value(config, "mailmum_block")) == both
    run(config, made.undo)
    assert (config / "main.cf").read_text() == before


@pytest.mark.parametrize("both", [False, True])
def test_a_list_that_stands_is_left_alone(config: Path, both: bool) -> None:
    """It is told what to insert there instead; the way back leaves it, too."""
    stands = "permit_mynetworks, reject_rbl_client zen.example"
    with (config / "main.cf").open("a") as file:
        file.write(f"{HOME} = {stands}\n")
    made = planned(both=both)
    run(config, made.lines)
    assert value(config, HOME) == stands
    first = made.insertions[0]
    assert (first.parameter, first.text) == (HOME, "$mailmum_policy")
    run(config, made.undo)
    assert value(config, HOME) == stands
    assert value(config, POLICY) == ""


def test_what_is_to_be_known_is_told() -> None:
    """Of the policy service always, of resolvers only where DNS is asked."""
    alone, both = planned(), planned(both=True)
    assert any("postscreen" in note for note in alone.notes)
    assert not alone.resolvers
    assert len(both.resolvers) >= 3
    assert any("100 sessions" in note for note in both.notes)
    assert not any("100 sessions" in note for note in alone.notes)
