"""A Postfix configuration in a folder of its own, read and written by Debian's real postconf.

Nothing runs: that Postfix obeys what is set is tested end to end elsewhere.
"""

import os
import subprocess
from pathlib import Path

from mailmum.cli.postfix_here import read_postfix
from mailmum.postfix.setup import Options, ServerZones, Way, plan, render
from tests.cli.shapes import BASE, KEY, zones

MASTER = "smtp inet n - y - - smtpd\n"


def make_postfix(folder: Path, *settings: str) -> Path:
    """A folder with main.cf and master.cf."""
    folder.mkdir()
    (folder / "main.cf").write_text(
        "".join(f"{line}\n" for line in ("compatibility_level = 3.6", *settings))
    )
    (folder / "master.cf").write_text(MASTER)
    age(folder)
    return folder


def value(folder: Path, name: str) -> str:
    """What postconf says of a parameter."""
    done = subprocess.run(
        ["/usr/sbin/postconf", "-c", str(folder), "-h", name],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def age(folder: Path) -> None:
    """Make main.cf look an hour old: postconf waits before it reads one that has just changed."""
    path = folder / "main.cf"
    then = path.stat().st_mtime - 3600
    os.utime(path, (then, then))


def apply(script: str, folder: Path) -> None:
    """Run what `postfix setup` printed, but for the reload: nothing runs that could."""
    lines = [line for line in script.splitlines(keepends=True) if "postfix -c" not in line]
    subprocess.run(
        ["bash", "-euo", "pipefail"],
        input="".join(lines),
        env={"PATH": "/usr/sbin:/usr/bin:/bin"},
        text=True,
        check=True,
    )
    age(folder)


def set_up(
    folder: Path,
    *,
    key: str = KEY,
    trial: bool = False,
    way: Way = Way.DNS,
    policy: str = "127.0.0.1:10053",
) -> None:
    """Run the lines of `postfix setup`."""
    known = ServerZones(name="mx1", base=BASE, **zones(key))
    options = Options(trial=trial, config_dir=str(folder), way=way, policy=f"inet:{policy}")
    apply(render(plan(known, read_postfix(str(folder)), options)), folder)
