"""The Postfix of this machine, asked through `postconf`; nothing here changes it.

Debian's package may be installed without a configuration: then there is no Postfix to speak of, and
the failure has the same code as where the program is missing.
"""

import shutil
import subprocess

from mailmum.cli.failures import Failure
from mailmum.postfix.current import QUESTIONS, Current

_USUAL = "/usr/sbin:/usr/local/sbin:/sbin"
_TIMEOUT = 20
NO_POSTFIX = "no-postfix"


def read_postfix(config_dir: str = "") -> Current:
    """Read the configuration that stands.

    Args:
        config_dir: folder of main.cf, empty for Postfix's default.

    Raises:
        Failure: there is no Postfix here, or postconf fails.
    """
    program = _find_postconf()
    if program is None:
        raise Failure(
            "there is no Postfix on this machine (postconf was not found)",
            "run this on the mail server, or leave out --here",
            code=NO_POSTFIX,
        )
    at = ("-c", config_dir) if config_dir else ()
    return Current.read({name: _ask(program, *at, option) for name, option in QUESTIONS.items()})


def read_if_there(config_dir: str = "") -> Current | None:
    """Read the configuration that stands; None where there is no Postfix or it has none.

    Raises:
        Failure: there is a Postfix, and postconf fails; or `config_dir` was named and has no
            configuration.
    """
    try:
        return read_postfix(config_dir)
    except Failure as failure:
        if failure.code == NO_POSTFIX and not config_dir:
            return None
        raise


def _find_postconf() -> str | None:
    # /usr/sbin is not on every user's PATH.
    return shutil.which("postconf") or shutil.which("postconf", path=_USUAL)


def _ask(program: str, *arguments: str) -> str:
    command = " ".join((program, *arguments))
    try:
        done = subprocess.run(  # noqa: S603 - the administrator's own postconf
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise Failure(
            f"{command} did not end in {_TIMEOUT} s", "run it by hand to see why"
        ) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        missing = lines[-1].endswith("main.cf: No such file or directory")
        raise Failure(
            f"{command} failed: {lines[-1]}",
            "configure Postfix first" if missing else "mend that first",
            code=NO_POSTFIX if missing else "failed",
        ) from None
    return done.stdout.decode(errors="surrogateescape")
