"""Builds the compiled parts of `mailmum.compiled`; without them everything works too, only slower.

    python hatch_build.py                beside its sources, or one line that says why not
    python hatch_build.py --into DIR     elsewhere; more compiler flags in CFLAGS

hatchling calls the hook for wheels: one that has the extensions is for CPython 3.11 and later (the
stable interface, abi3), one without is for any Python.  MAILMUM_COMPILE=no leaves it out,
MAILMUM_COMPILE=yes makes it a fault when it cannot be built.
"""

import argparse
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
PACKAGE = ROOT / "src" / "mailmum" / "compiled"
MODULES = ("hot", "lines")
LIMITED_API = "0x030B0000"
FLAGS = (
    "-O2 -fPIC -shared -pthread -fvisibility=hidden -fno-strict-aliasing -fwrapv "
    "-fstack-protector-strong -Wall -Wno-unused-function -Wl,-z,relro,-z,now"
)


class NotBuilt(Exception):
    """It cannot be built here; the text says why."""


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the extensions to wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and note what was built."""
        wanted = os.environ.get("MAILMUM_COMPILE", "auto")
        if wanted == "no" or self.target_name != "wheel":
            return
        try:
            built = build(PACKAGE)
        except NotBuilt as reason:
            if wanted == "yes":
                raise
            self.app.display_warning(f"without the compiled parts: {reason}")
            return
        if version == "editable":
            return
        build_data["artifacts"] += [f"/{path.relative_to(ROOT)}" for path in built]
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"


def build(folder: Path) -> list[Path]:
    """Make the extensions in a folder, each in one step: there is the old one or the new one.

    Raises:
        NotBuilt: something that it takes is missing, or the compiler does not like it.
    """
    headers = Path(sysconfig.get_path("include"))
    compiler = shlex.split(os.environ.get("CC", "cc"))
    check(headers, compiler)
    with tempfile.TemporaryDirectory() as name:
        made = [compile_one(module, Path(name), headers, compiler) for module in MODULES]
        return [put(one, folder) for one in made]


def compile_one(module: str, work: Path, headers: Path, compiler: list[str]) -> Path:
    """Make one extension."""
    source, made = work / f"{module}.c", work / f"{module}.abi3.so"
    cython = [sys.executable, "-m", "cython", "-3", "--module-name", f"mailmum.compiled.{module}"]
    run([*cython, str(PACKAGE / f"{module}.pyx"), "-o", str(source)])
    flags = shlex.split(FLAGS) + shlex.split(os.environ.get("CFLAGS", ""))
    defines = [f"-DPy_LIMITED_API={LIMITED_API}", f"-I{headers}"]
    run([*compiler, *defines, str(source), "-o", str(made), *flags])
    return made


def put(made: Path, folder: Path) -> Path:
    """Put it where it is used; over a file that a process has mapped its pages would change."""
    waiting = folder / f".{made.name}.new"
    shutil.copyfile(made, waiting)
    return waiting.replace(folder / made.name)


def check(headers: Path, compiler: list[str]) -> None:
    """Raise `NotBuilt` when something is missing."""
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32:
        raise NotBuilt("it needs Linux with 64 bits")
    if sys.implementation.name != "cpython":
        raise NotBuilt("it needs CPython")
    if importlib.util.find_spec("Cython") is None:
        raise NotBuilt("Cython is not installed")
    if not (headers / "Python.h").exists():
        raise NotBuilt("the headers of Python are missing (Debian: python3-dev)")
    if shutil.which(compiler[0]) is None:
        raise NotBuilt(f"no C compiler {compiler[0]} was found (Debian: gcc and libc6-dev)")


def run(command: list[str]) -> None:
    """Run a step; its first complaint is the reason when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines or ["no reason given"]
        raise NotBuilt(f"{Path(command[0]).name} failed: {errors[0].strip()}")


def main() -> None:
    """Build, and say where it lies or why there is none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--into", type=Path, default=PACKAGE, metavar="DIR")
    try:
        build(parser.parse_args().into)
    except NotBuilt as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
