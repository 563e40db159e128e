"""A progress bar on standard error, and only when that is a terminal."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mailmum.cli.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """Where nobody watches: does nothing."""

    def sent(self, sent: int, size: int | None) -> None:
        """So many bytes of the file have been sent."""

    def told(self, progress: Mapping[str, Any]) -> None:
        """The service has told how far it is."""

    def read(self, name: str, done: int, size: int | None) -> None:
        """So many bytes of what is to be read here have been; a file of this name is at it."""


class _Shown(Bar):
    def __init__(self, display: "Progress", task: "TaskID") -> None:
        self._display = display
        self._task = task

    def sent(self, sent: int, size: int | None) -> None:
        self._display.update(self._task, description="sending", completed=sent, total=size)

    def told(self, progress: Mapping[str, Any]) -> None:
        phase = str(progress.get("phase") or "working")
        total = progress.get("total")
        if total:
            done, of = progress.get("lines"), total
        else:
            done, of = progress.get("bytes"), progress.get("of")
        text = f"{phase} ({progress.get('lines', 0)})"
        self._display.update(self._task, description=text, completed=done or 0, total=of)

    def read(self, name: str, done: int, size: int | None) -> None:
        text = f"reading {visible(name)}"
        self._display.update(self._task, description=text, completed=done, total=size)


@contextmanager
def progress(title: str, *, enabled: bool = True) -> Iterator[Bar]:
    """A bar for the length of a `with` block; it leaves no trace."""
    if not (enabled and sys.stderr.isatty()):
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        yield _Shown(display, display.add_task(title, total=None))
