"""The entry points, the lock files and the import rules hold what they promise."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [
    "script/bootstrap",
    "script/lint",
    "script/lock",
    "script/sanitize",
    "script/screenshots",
    "script/server",
    "script/test",
    ".ci/run",
]
LOCKS = ["run", "test"]


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def _locked(name: str) -> dict[str, Version]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", _lock_text(name), re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in pins}


def _bare_environment(folder: Path, *commands: str) -> dict[str, str]:
    """A PATH with nothing on it but the named commands, as on a machine that lacks the rest."""
    for command in commands:
        # The interpreter itself: what PATH calls python3 may be a wrapper that needs more tools.
        found = os.path.realpath(sys.executable) if command == "python3" else shutil.which(command)
        assert found is not None, command
        (folder / command).symlink_to(found)
    return {"PATH": str(folder), "HOME": str(folder)}


@pytest.mark.parametrize("path", SCRIPTS)
def test_scripts_are_executable_and_strict(path: str) -> None:
    """Each entry point can be run as it stands, parses, and stops at the first unhandled error."""
    script = ROOT / path
    assert os.access(script, os.X_OK)
    if script.read_text().startswith("#!/usr/bin/env python3\n"):
        compile(script.read_text(), path, "exec")
        return
    assert "\nset -euo pipefail\n" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_every_script_is_known_here() -> None:
    """A script added later is checked like the others."""
    scripts = {f"script/{path.name}" for path in (ROOT / "script").iterdir() if path.is_file()}
    assert scripts | {".ci/run"} == set(SCRIPTS)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_pin_with_hashes_and_no_address(name: str) -> None:
    """Every locked package has a version and sha256 hashes; no line names a registry."""
    text = _lock_text(name)
    assert "://" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert not re.search(
        r"^\s*-(i|f|-index-url|-extra-index-url|-find-links)\b", text, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("lock", "groups"), [("run", ["build"]), ("test", ["build", "test"])], ids=LOCKS
)
def test_lock_files_satisfy_pyproject(lock: str, groups: list[str]) -> None:
    """What pyproject.toml asks for is locked, in a version that it allows."""
    project = _project()
    wanted = list(project["project"]["dependencies"])
    for group in groups:
        wanted += project["dependency-groups"][group]
    locked = _locked(lock)
    for line in wanted:
        requirement = Requirement(line)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{line}: not locked; run script/lock"
        assert version in requirement.specifier, f"{line}: {version} locked; run script/lock"


def test_both_lock_files_agree() -> None:
    """Tests run on the versions that administrators run."""
    tested = _locked("test")
    assert {name: tested.get(name) for name in _locked("run")} == _locked("run")


def test_editable_install_works_without_build_isolation() -> None:
    """What builds the project is locked, so that installing it fetches nothing unhashed."""
    needed = _project()["build-system"]["requires"]
    assert {canonicalize_name(Requirement(one).name) for one in needed} <= set(_locked("run"))


def test_bootstrap_has_nothing_to_do_after_bootstrap() -> None:
    """A second run changes nothing, says nothing and takes under a second."""
    command = [str(ROOT / "script" / "bootstrap"), "--test"]
    subprocess.run(command, capture_output=True, timeout=100, check=True)
    stamp = ROOT / ".venv" / ".mailmum-test"
    before = stamp.stat().st_mtime_ns
    taken = []
    for _ in range(3):
        start = time.monotonic()
        ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        taken.append(time.monotonic() - start)
        assert (ran.stdout, ran.stderr) == ("", "")
    assert stamp.stat().st_mtime_ns == before
    assert min(taken) < 1


def test_bootstrap_refuses_an_unknown_option() -> None:
    """A mistyped option is a usage error, not a silent run."""
    ran = subprocess.run(
        ["script/bootstrap", "--tset"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "--tset" in ran.stderr


def _copied_bootstrap(folder: Path) -> Path:
    copy = folder / "checkout"
    for name in (
        "script/bootstrap",
        "requirements/run.txt",
        "requirements/test.txt",
        "pyproject.toml",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy / "script" / "bootstrap"


def test_bootstrap_names_the_python_it_needs(tmp_path: Path) -> None:
    """Without Python 3.11 or later the message says so and how to get one."""
    tools = tmp_path / "bin"
    tools.mkdir()
    env = _bare_environment(tools, "bash", "dirname", "mktemp", "rm")
    ran = subprocess.run(
        [str(_copied_bootstrap(tmp_path))], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "Python 3.11" in ran.stderr
    assert "apt-get install python3" in ran.stderr


def test_bootstrap_says_what_an_administrator_has_to_run(tmp_path: Path) -> None:
    """Without the right to install packages the exact command is printed and nothing is made."""
    tools = tmp_path / "bin"
    tools.mkdir()
    env = _bare_environment(tools, "bash", "dirname", "mktemp", "rm", "python3")
    script = _copied_bootstrap(tmp_path)
    # The programs are found by name: one that no machine has stands for a missing package.
    script.write_text(script.read_text().replace('"rbldnsd:rbldnsd"', '"rbldnsd:no-such-program"'))
    ran = subprocess.run(
        [str(script), "--test"], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert re.search(r"sudo apt-get install --no-install-recommends .*\brbldnsd\b", ran.stderr)
    assert not (script.parent.parent / ".venv").exists()


def test_bootstrap_leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    """A .venv that is no virtual environment is not cleared."""
    script = _copied_bootstrap(tmp_path)
    precious = script.parent.parent / ".venv" / "notes.txt"
    precious.parent.mkdir()
    precious.write_text("keep")
    ran = subprocess.run([str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "not a virtual environment" in ran.stderr
    assert precious.read_text() == "keep"


def test_readme_commands_exist() -> None:
    """Each script that the README tells people to run is there, and `mailmum` is installed."""
    named = set(re.findall(r"(?<![\w/])\.?/?(script/[a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"script/server", "script/test"} <= named
    assert named <= set(SCRIPTS)
    assert (ROOT / ".venv" / "bin" / "mailmum").exists()


def test_import_contracts_cover_every_package() -> None:
    """A package of the data plane cannot be added without the contracts that bind it."""
    contracts = {c["id"]: c for c in _project()["tool"]["importlinter"]["contracts"]}
    packages = {path.parent.name for path in (ROOT / "src" / "mailmum").glob("*/__init__.py")}
    bound = {name.removeprefix("mailmum.") for name in contracts["data-plane"]["source_modules"]}
    assert packages - bound == {"api", "cli", "control", "web"}
    pure = {name.removeprefix("mailmum.") for name in contracts["sans-io"]["source_modules"]}
    # The compiled part has sockets of its own.
    assert bound - pure == {"compiled", "daemons"}


def test_command_line_starts_without_django() -> None:
    """Importing the command line loads no Django: its start time is part of the contract."""
    code = (
        "import sys, mailmum.cli.main; print(*(n for n in ('django', 'ninja') if n in sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout.strip() == ""
