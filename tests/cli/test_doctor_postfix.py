"""`doctor` and Postfix: what it finds in the configuration of this machine."""

from pathlib import Path
from typing import Any

import pytest

from mailmum.cli import doctor_postfix
from mailmum.cli.doctor_findings import Finding
from mailmum.cli.postfix_here import read_postfix
from mailmum.postfix.setup import Way
from tests.cli.postconf import age, make_postfix, set_up
from tests.cli.shapes import BASE, KEY, server

AT = "inet:127.0.0.1:10053"
CHECK = f"check_policy_service {{ {AT}, policy_context={KEY}"


def states(findings: list[Finding]) -> list[tuple[str, str]]:
    """Names and states."""
    return [(finding.name, finding.state) for finding in findings]


def examine(folder: Path, *servers: dict[str, Any]) -> list[Finding]:
    """What reading that Postfix finds."""
    known = servers or (server(),)
    return list(doctor_postfix.examine(read_postfix(str(folder)), known, BASE, str(folder)))


def test_a_postfix_that_was_set_up_is_well(postfix: Path) -> None:
    """Its restrictions and its replies."""
    set_up(postfix)
    assert states(examine(postfix)) == [("Postfix", "ok"), ("Postfix", "ok")]


def test_a_postfix_that_was_not_set_up(postfix: Path) -> None:
    """A warning: perhaps it is another machine's turn. With one server the command is complete."""
    [found] = examine(postfix)
    assert found.state == "warn"
    assert found.fix.endswith("mailmum postfix setup --server mx1")
    assert examine(postfix, server(), server("mx2", key="k2k2k2k2k2k2"))[0].fix.endswith("NAME")


def test_a_postfix_on_trial(postfix: Path) -> None:
    """Nothing is rejected: not to be forgotten."""
    set_up(postfix, trial=True)
    found = examine(postfix)
    assert states(found) == [("Postfix", "warn"), ("Postfix", "ok")]
    assert found[0].fix.endswith("without --trial")


def test_a_postfix_with_an_old_key(postfix: Path) -> None:
    """Soon it is not answered any more."""
    old_key = "m0m0m0m0m0m0"
    set_up(postfix, key=old_key)
    old = {"key": old_key, "until": "2026-11-29T10:00:00Z", "revoked": False}
    [found] = examine(postfix, server(old_keys=[old]))
    assert found.state == "fail"
    assert "rotated out" in found.message


def test_a_postfix_that_asks_the_policy_service_alone(postfix: Path) -> None:
    """Replies of DNS lists are no business of its."""
    set_up(postfix, way=Way.POLICY)
    assert states(examine(postfix)) == [("Postfix", "ok")]


@pytest.mark.parametrize(
    ("lines", "expected", "said"),
    [
        (f"{CHECK}, default_action=DUNNO }}", ["ok"], "asks the policy service for server mx1"),
        (f"{CHECK} }}", ["ok", "fail"], "defers all mail"),
        (f"{CHECK}, {{ default_action = DUNNO }} }}", ["ok"], "asks the policy service for"),
        (
            f"check_policy_service {{ {AT}, {{ policy_context = {KEY} }}, default_action=DUNNO }}",
            ["ok"],
            "asks the policy service for server mx1",
        ),
        (f"check_client_access socketmap:{AT}:{KEY}", ["ok"], "socketmap"),
    ],
)
def test_lines_of_the_administrators_own(
    tmp_path: Path, lines: str, expected: list[str], said: str
) -> None:
    """As the guide of the policy service has them: they are complete as they are."""
    folder = make_postfix(tmp_path / "own", f"smtpd_client_restrictions = {lines}")
    found = examine(folder)
    assert [one.state for one in found] == expected
    assert said in found[-1].message


def test_lines_that_only_a_service_of_master_has(tmp_path: Path) -> None:
    """They ask as well as any."""
    folder = make_postfix(tmp_path / "own", f"ours = {CHECK}, default_action=DUNNO }}".lower())
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    override = f"{{ smtpd_client_restrictions = {CHECK}, default_action=DUNNO }} }}"
    (folder / "master.cf").write_text(f"smtp inet n - y - - smtpd\n -o {override}\n")
    age(folder)
    assert states(examine(folder)) == [("Postfix", "ok")]


def test_lines_of_ones_own_with_an_old_key(tmp_path: Path) -> None:
    """No setup would find the place to put the present one."""
    lines = f"{CHECK}, default_action=DUNNO }}"
    folder = make_postfix(tmp_path / "own", f"smtpd_client_restrictions = {lines}")
    old = {"key": KEY, "until": "2026-11-29T10:00:00Z", "revoked": False}
    [found] = examine(folder, server(key="k2k2k2k2k2k2", old_keys=[old]))
    assert found.state == "fail"
    assert "server show mx1" in found.fix


def test_a_setup_that_lost_a_part(postfix: Path) -> None:
    """The parameter that differs is named."""
    set_up(postfix)
    main = postfix / "main.cf"
    lines = main.read_text().splitlines(keepends=True)
    main.write_text("".join(line for line in lines if not line.startswith("rbl_reply_maps")))
    age(postfix)
    found = examine(postfix)
    assert found[0].state == "fail"
    assert "rbl_reply_maps" in found[0].message


@pytest.mark.parametrize("content", [None, "", "# another\n"])
def test_replies_that_may_show_the_key(postfix: Path, content: str | None) -> None:
    """The table that hides it is gone, or for another key."""
    set_up(postfix)
    table = postfix / "mailmum_rbl_reply"
    if content is None:
        table.unlink()
    else:
        table.write_text(content)
    found = examine(postfix)
    assert states(found) == [("Postfix", "ok"), ("Postfix", "fail")]
    assert "zone key" in found[1].message or "present key" in found[1].message
