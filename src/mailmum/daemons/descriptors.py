"""Having no file descriptor left: what then fails tells of anything but that.

SQLite is "unable to open database file", whatever the file is like.  So whoever tells of a database
that cannot be used looks here what may be behind it.
"""

import errno
import os

_NONE_LEFT = "no file descriptor is left; raise LimitNOFILE of this service"


def with_cause(words: str) -> str:
    """What somebody said of a fault, and that no descriptor is left, if that is so."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            return f"{words} ({_NONE_LEFT})"
    return words
