"""Getting the bytes of a feed: over https, from the DNS, or from the account's folder of files.

A file is named by its path below that folder (`feeds/NUMBER` in the data folder, with the number of
the account): people of an account must read neither what else lies on the machine nor the files of
another account.

Once there was one folder for all, `feeds` itself.  What lies there is the first account's, where it
has no such file in its own folder, so that an installation of then goes on.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from mailmum.control import config
from mailmum.control.accounts.models import Account
from mailmum.control.feeds.models import Kind
from mailmum.control.feeds.reading import BYTES_LIMIT
from mailmum.control.outgoing import outgoing
from mailmum.daemons.outgoing import Unreached, Unsafe
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
        missing: terms of an SPF record that allow more, depending on the sender.
        undenied: terms of an SPF record that deny some of it, depending on the sender.
    """

    body: bytes | None
    etag: str = ""
    modified: str = ""
    missing: tuple[str, ...] = ()
    undenied: tuple[str, ...] = ()


Fetch = Callable[[int, str, str, str, str], Fetched]
"""Takes account, kind and source of a feed, and both marks of its last state."""


def fetch(account: int, kind: str, source: str, etag: str = "", modified: str = "") -> Fetched:
    """Get a feed.

    Raises:
        Refusal: it cannot be had; the reason is told.
    """
    if kind == Kind.SPF:
        # With it comes the resolver, which the parts that only look feeds up never need.
        from mailmum.control.feeds.spf import as_list, spf_set

        found = spf_set(source)
        return Fetched(as_list(found), missing=tuple(found.missing), undenied=tuple(found.undenied))
    if kind == Kind.FILE:
        return Fetched(_read(file_of(account, source), account))
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


def check_source(account: int, kind: str, source: str) -> None:
    """See that a source is not one that is refused whatever lies there.

    Raises:
        BadInput: it is a file outside the account's folder.
        Unsafe: it is an address that is not reached from here.
    """
    if kind == Kind.FILE:
        file_of(account, source)
    elif kind == Kind.URL:
        try:
            outgoing().check(source)
        except Unsafe as refusal:
            refusal.field = "source"
            raise


def check_path(source: str) -> None:
    """See that a path can be one below the folder, whatever lies there.

    Raises:
        BadInput: it leads elsewhere.
    """
    path = PurePosixPath(source)
    if "\0" in source or path.is_absolute() or ".." in path.parts or not path.parts:
        raise _elsewhere(source)


def file_of(account: int, source: str) -> Path:
    """The file that a path below the account's folder names.

    Raises:
        BadInput: it leads elsewhere, along a link maybe.
    """
    check_path(source)
    shared = (config.current().data / FOLDER).resolve()
    folder = (shared / str(account)).resolve()
    path = (folder / source).resolve()
    if not path.exists() and _is_first(account):
        former = (shared / source).resolve()
        if former.exists() and former.is_relative_to(shared) and not _is_own(former, shared):
            return former
    if not path.is_relative_to(folder):
        raise _elsewhere(source)
    return path


def _is_first(account: int) -> bool:
    return not Account.objects.filter(pk__lt=account).exists()


def _is_own(path: Path, shared: Path) -> bool:
    """Whether a file of the former folder lies in what is some account's own."""
    first, *below = path.relative_to(shared).parts or ("",)
    return bool(below) and first.isdecimal()


def _elsewhere(source: str) -> BadInput:
    return BadInput(
        f"{shown(source)} is not below the folder of feeds",
        fix="put the file into the account's folder there, and give its name",
        field="source",
    )


def _read(path: Path, account: int) -> bytes:
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
            fix=f"see that it is in {FOLDER}/{account} of the data folder, and MailMum may read it",
        ) from None
    if len(data) > BYTES_LIMIT:
        raise BadInput(f"{shown(path.name)} has more than {BYTES_LIMIT // 1024**2} MB")
    return data


def _mark(text: str, most: int) -> str:
    return text if len(text) <= most and text.isascii() and text.isprintable() else ""
