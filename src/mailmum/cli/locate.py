"""Where the service is and what opens it.

In this order: `--data DIR`; the variable MAILMUM_DATA; MAILMUM_URL with MAILMUM_TOKEN; the folder
`data` where the command is run.  A data folder has both in its `cli.json`, which `mailmum up`
writes for its owner's eyes only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mailmum.cli.failures import Failure

CREDENTIAL = "cli.json"


@dataclass(frozen=True, slots=True)
class Service:
    """A service to talk to.

    Attributes:
        url: its base, without a trailing slash.
        token: what opens it.
        source: where both were found, for messages.
        data: its data folder, where that is known.
    """

    url: str
    token: str
    source: str
    data: Path | None = None


def find_service(data: Path | None, environment: Mapping[str, str], here: Path) -> Service:
    """Find the service.

    Args:
        data: what `--data` named.
        environment: the process's variables.
        here: the present folder.

    Raises:
        Failure: nothing names a service, or what names it is wrong.
    """
    if data is not None:
        return _from_folder(data, "--data")
    if folder := environment.get("MAILMUM_DATA", ""):
        return _from_folder(Path(folder), "MAILMUM_DATA")
    url, token = environment.get("MAILMUM_URL", ""), environment.get("MAILMUM_TOKEN", "")
    if url or token:
        return _from_variables(url, token)
    if (here / "data" / CREDENTIAL).exists():
        return _from_folder(here / "data", "the folder data here")
    raise Failure(
        "it is not known where the service is",
        "name its data folder with --data DIR or MAILMUM_DATA, "
        "or give MAILMUM_URL and MAILMUM_TOKEN",
        code="no-service",
    )


def _from_variables(url: str, token: str) -> Service:
    if not (url and token):
        present, missing = (
            ("MAILMUM_URL", "MAILMUM_TOKEN") if url else ("MAILMUM_TOKEN", "MAILMUM_URL")
        )
        raise Failure(
            f"{present} is set but {missing} is not", "set both, or neither", code="no-service"
        )
    return Service(
        _checked_url(url, "MAILMUM_URL"), _checked_token(token, "MAILMUM_TOKEN"), "MAILMUM_TOKEN"
    )


def _from_folder(folder: Path, named_by: str) -> Service:
    path = folder.expanduser() / CREDENTIAL
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        url, token = content["url"], content["token"]
    except FileNotFoundError:
        raise _no_credential(folder, named_by) from None
    except OSError as error:
        raise Failure(
            f"{path} cannot be read: {error.strerror}",
            "run the command as the user who owns the data folder",
            code="no-service",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Failure(
            f"{path} is damaged: it should hold a url and a token",
            "remove it and start the service again, which writes a new one",
            code="no-service",
        ) from None
    return Service(
        _checked_url(url, str(path)), _checked_token(token, str(path)), str(path), folder
    )


def _no_credential(folder: Path, named_by: str) -> Failure:
    if not folder.expanduser().is_dir():
        return Failure(
            f"there is no folder {folder} ({named_by})",
            f"check the path, or start a service there: mailmum up --data {folder}",
            code="no-service",
        )
    return Failure(
        f"{folder} ({named_by}) has no {CREDENTIAL}, so no service was ever started on it",
        f"check the path, or start one: mailmum up --data {folder}",
        code="no-service",
    )


def _checked_url(url: object, source: str) -> str:
    try:
        parts = urlsplit(str(url))
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Failure(
            f"{url} ({source}) is not the address of a service",
            "write for example https://rbl.example.net or http://127.0.0.1:8053",
            code="no-service",
        )
    return str(url).rstrip("/")


def _checked_token(token: object, source: str) -> str:
    text = str(token).strip()
    # It becomes a header line: anything but visible ASCII is a mistake in copying.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Failure(f"{source} does not hold a token", "copy it again", code="no-service")
    return text
