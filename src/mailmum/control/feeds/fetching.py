"""Getting the bytes of a feed: over https, from the DNS, or from the folder of files for feeds.

A file is named by its path below that folder (`feeds` in the data folder): people of an account
must not read what else lies on the machine.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from mailmum.control import config
from mailmum.control.feeds.models import Kind
from mailmum.control.feeds.reading import BYTES_LIMIT
from mailmum.control.outgoing import outgoing
from mailmum.daemons.outgoing import Unreached
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.texts import shown

TIMEOUT = 60.0
FOLDER = "feeds"
_ACCEPT = "text/plain, application/json, */*;q=0.5"
_TAGS = {"etag": 300, "last-modified": 100}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came.

    Attributes:
        body: the bytes, None when nothing has changed.
        etag, modified: marks of this state, to ask by next time.
    """

    body: bytes | None
    etag: str = ""
    modified: str = ""


Fetch = Callable[[str, str, str, str], Fetched]
"""Takes kind and source of a feed, and both marks of its last state."""


def fetch(kind: str, source: str, etag: str = "", modified: str = "") -> Fetched:
    """Get a feed.

    Raises:
        Refusal: it cannot be had; the reason is told.
    """
    if kind == Kind.SPF:
        # With it comes the resolver, which the parts that only look feeds up never need.
        from mailmum.control.feeds.spf import spf_networks

        return Fetched(spf_networks(source))
    if kind == Kind.FILE:
        return Fetched(_read(file_of(source)))
    headers = {"Accept": _ACCEPT}
    if etag:
        headers["If-None-Match"] = etag
    if modified:
        headers["If-Modified-Since"] = modified
    reply = outgoing().request("GET", source, headers=headers, limit=BYTES_LIMIT, timeout=TIMEOUT)
    if reply.status == 304:
        return Fetched(None, etag, modified)
    if reply.status != 200:
        raise Unreached(
            f"{shown(source)} answers with HTTP {reply.status}",
            fix="check the address; its operator may have moved the list or limit how often it is "
            "fetched",
        )
    marks = {name: _mark(reply.headers.get(name, ""), most) for name, most in _TAGS.items()}
    return Fetched(reply.body, marks["etag"], marks["last-modified"])


def file_of(source: str) -> Path:
    """The file that a path below the folder names.

    Raises:
        BadInput: it leads elsewhere.
    """
    folder = (config.current().data / FOLDER).resolve()
    path = (folder / source).resolve() if "\0" not in source else folder
    if not path.is_relative_to(folder) or path == folder:
        raise BadInput(
            f"{shown(source)} is not below the folder of feeds",
            fix=f"put the file into {folder} and give its name there",
            field="source",
        )
    return path


def _read(path: Path) -> bytes:
    try:
        # A pipe put in its place must not stop the worker.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not S_ISREG(os.fstat(handle).st_mode):
                raise Refusal(f"{shown(path.name)} is no file")
            data = file.read(BYTES_LIMIT + 1)
    except OSError as error:
        raise Unreached(
            f"{shown(path.name)} cannot be read: {error.strerror}",
            fix="see that it is there and that MailMum may read it",
        ) from None
    if len(data) > BYTES_LIMIT:
        raise BadInput(f"{shown(path.name)} has more than {BYTES_LIMIT // 1024**2} MB")
    return data


def _mark(text: str, most: int) -> str:
    return text if len(text) <= most and text.isascii() and text.isprintable() else ""
