"""What is followed, as operators write it: a file's path, or the journal.

    /var/log/mail.log                        a file
    journal                                  this machine's journal: what speaks of mail
    journal:postfix@-.service                these units of it, several with +
    journal:/srv/mx1/journal                 a journal in that folder

and, for `collect`, which server's log it is:

    mx1=/var/log/mail.log                    of the first account
    customer/mx1=/var/log/mail.log           of this account's
    /var/log/mail.log                        of the only server of the first account

    >>> parse_log("customer/mx1=/var/log/mail.log")
    WantedLog(source='/var/log/mail.log', server='mx1', account='customer')
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from mailmum.daemons.tailing import FollowedLog
from mailmum.daemons.tailing_journal import JournalLog, Wanted
from mailmum.daemons.tailing_path import FileLog

JOURNAL = "journal"
NAME_LIMIT = 180
_FORMS = "write [ACCOUNT/]SERVER=/var/log/mail.log or SERVER=journal"


@dataclass(frozen=True, slots=True)
class WantedLog:
    """A log to follow, and whose it is.

    Attributes:
        source: a file's path or the journal, as it was written.
        server: name of the server, empty for the only one.
        account: name of its account, empty for the first.
    """

    source: str
    server: str = ""
    account: str = ""

    def __str__(self) -> str:
        owner = f"{self.account}/{self.server}" if self.account else self.server
        return f"{owner}={self.source}" if owner else self.source

    @property
    def stream(self) -> str:
        """What the store knows it by."""
        return stream_name(self.source)


def parse_logs(text: str) -> tuple[WantedLog, ...]:
    """Read several, parted by commas; none in an empty text.

    Raises:
        ValueError: one is not of these forms, or stands there twice.
    """
    found = tuple(parse_log(part.strip()) for part in text.split(",") if part.strip())
    for at, one in enumerate(found):
        if one in found[:at]:
            raise ValueError(f"{one} stands there twice")
    return found


def parse_log(text: str) -> WantedLog:
    """Read one.

    Raises:
        ValueError: it is not of these forms.
    """
    owner, equals, source = text.partition("=")
    if not equals or owner.startswith("/") or is_journal(owner):
        owner, source = "", text
    account, slash, server = owner.rpartition("/")
    if (slash and not account) or (equals and source != text and not server):
        raise ValueError(f"{text!r} names no server; {_FORMS}")
    check_source(source)
    return WantedLog(source, server, account)


def check_source(source: str) -> None:
    """See that it can be followed at all.

    Raises:
        ValueError: it is neither an absolute path nor the journal.
    """
    if not is_journal(source) and not Path(source).is_absolute():
        raise ValueError(f"{source!r} is neither an absolute path nor the journal; {_FORMS}")
    if "\0" in source or "\n" in source:
        raise ValueError("the path of a log has no control characters")


def is_journal(source: str) -> bool:
    """Whether the journal is meant and no file."""
    return source == JOURNAL or source.startswith(f"{JOURNAL}:")


def stream_name(source: str) -> str:
    """A name for what is read from there, short enough for the store."""
    name = source if is_journal(source) else f"file:{source}"
    if len(name) <= NAME_LIMIT:
        return name
    digest = blake2b(name.encode(errors="replace"), digest_size=12).hexdigest()
    return f"{name[: NAME_LIMIT - len(digest) - 1]}:{digest}"


def open_source(source: str, at: str | None) -> FollowedLog:
    """Follow it from where it has been read to.

    Raises:
        ValueError: that is no place in such a log.
    """
    if not is_journal(source):
        return FileLog(Path(source), at)
    names = [name for name in source.removeprefix(JOURNAL).lstrip(":").split("+") if name]
    folders = [name for name in names if name.startswith("/")]
    units = tuple(name for name in names if not name.startswith("/"))
    return JournalLog(Wanted(folders[0] if folders else "", units), at)
