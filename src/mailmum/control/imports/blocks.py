"""What an import would block, gathered while it is only looked at: whom that would have hit.

An import may say block and allow, for all servers and for single ones, as people's and as a
source's.  Each of these is kept apart, and what was seen is looked up in all of them at the end, as
it is for a feed; see `control.monitor.lists`.
"""

import time
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.imports.aside import Row
from mailmum.control.imports.options import ImportOptions
from mailmum.control.listings.values import stored_network, stored_target
from mailmum.control.monitor.lists import meet_parts
from mailmum.control.monitor.parts import Part, Renewed
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import Target
from mailmum.index.entries import Builder

_Kind = tuple[str, int, bool]
"""Action, scope, whether it is a person's."""


class Blocks:
    """Takes the rows that an import would bring in; those that are switched off hit nobody.

    Args:
        options: how it is imported.
    """

    def __init__(self, options: ImportOptions) -> None:
        self._renewed = Renewed(options.label, options.remove_missing)
        self._builders: dict[_Kind, Builder] = {}

    def add(self, row: Row) -> None:
        """Take a row."""
        if row.enabled:
            kind = (row.action, row.scope, row.source == Source.PERSON.value)
            builder = self._builders.get(kind)
            if builder is None:
                builder = self._builders[kind] = Builder()
            builder.add(_target(row))

    def impact(self, reading: Reading, *, now: float | None = None) -> dict[str, Any] | None:
        """Whom that would have hit; None where nothing would be blocked.  No more can be added.

        Args:
            reading: proof that the asker may read.
            now: our own clock.
        """
        blocks, allows = self._parts(Action.BLOCK), self._parts(Action.ALLOW)
        if not blocks:
            return None
        clock = time.time() if now is None else now
        return meet_parts(reading, blocks, allows=allows, renewed=self._renewed, now=clock).told()

    def _parts(self, wanted: Action) -> list[Part]:
        """What is asked for, made ready; its builder goes, which takes many times the room."""
        kinds = [kind for kind in self._builders if kind[0] == wanted.value]
        return [
            Part(self._builders.pop(kind).build(), kind[1], of_person=kind[2]) for kind in kinds
        ]


def _target(row: Row) -> Target:
    if row.first is None or row.last is None:
        return stored_target(row.kind, row.target)
    return stored_network(row.first, row.last)
