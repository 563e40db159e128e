"""A Postfix configuration in a folder of its own, read and written by Debian's real postconf.

Nothing runs: that Postfix obeys what is set is tested end to end elsewhere.
"""

import subprocess
from pathlib import Path

MASTER = "smtp inet n - y - - smtpd\n"


def make_postfix(folder: Path, *settings: str) -> Path:
    """A folder with main.cf and master.cf."""
    folder.mkdir()
    (folder / "main.cf").write_text(
        "".join(f"{line}\n" for line in ("compatibility_level = 3.6", *settings))
    )
    (folder / "master.cf").write_text(MASTER)
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


def apply(script: str) -> None:
    """Run what `postfix setup` printed, but for the reload: nothing runs that could."""
    lines = [line for line in script.splitlines(keepends=True) if "postfix -c" not in line]
    subprocess.run(
        ["bash", "-euo", "pipefail"],
        input="".join(lines),
        env={"PATH": "/usr/sbin:/usr/bin:/bin"},
        text=True,
        check=True,
    )
