"""The demo: a made-up week of two accounts and four servers, sent through the real paths.

A folder is a demo by the file `demo` in it, which the first `up --demo` writes.  All names and
addresses are those that are kept for documentation.
"""

from pathlib import Path

MARK = "demo"


def is_demo(data: Path) -> bool:
    """Whether a data folder is a demo's."""
    return (data / MARK).exists()
