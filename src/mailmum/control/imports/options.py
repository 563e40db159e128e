"""What can be chosen about an import, and what comes back."""

from dataclasses import dataclass, field
from typing import Any

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action
from mailmum.domain.texts import LABEL_LIMIT, clean_line

DETAILS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to import.

    Attributes:
        format: name of the format, empty to find out from the content.
        label: name of the source, which marks its listings; also the file's name for guessing.
        server: a server's name, None for the whole account.
        action: what entries mean in a format that does not say.
        mine: list as the importing person rather than as a feed.
        force: guarded targets are meant (only with `mine`: a feed never lists them).
        dry_run: report only.
        remove_missing: remove what this source listed before and no longer does, in the scope that
            is imported into; in all scopes for a format that tells scopes apart.
        expires: Unix time at which what is imported ends, None: never, or as the file says.
        reason: public text for entries that have none.
        leave_out: import what can be listed although lines are refused.
    """

    format: str = ""
    label: str = "import"
    server: str | None = None
    action: Action = Action.BLOCK
    mine: bool = False
    force: bool = False
    dry_run: bool = False
    remove_missing: bool = False
    expires: int | None = None
    reason: str = ""
    leave_out: bool = False

    def __post_init__(self) -> None:
        if self.mine and self.remove_missing:
            raise BadInput(
                "what a person lists has no source, so nothing can be said to have left it",
                fix="import it as a source's, or let what is missing stay",
                field="remove_missing",
            )
        clean_line(self.label, field="label", limit=LABEL_LIMIT)


@dataclass(frozen=True, slots=True)
class Told:
    """A listing that an import adds, changes, removes or finds there: `word` says which."""

    word: str
    action: str
    target: str
    scope: int


@dataclass(slots=True)
class Details:
    """What a preview shows besides the counts; each list holds the first of its kind.

    `guarded` are lines that a person must confirm; they count as bad lines until then.
    """

    told: list[Told] = field(default_factory=list)
    guarded: list[dict[str, Any]] = field(default_factory=list)
    guarded_count: int = 0
    _counts: dict[str, int] = field(default_factory=dict)

    def tell(self, word: str, action: str, target: str, scope: int) -> None:
        """Keep it while there is room for its kind."""
        seen = self._counts.get(word, 0)
        self._counts[word] = seen + 1
        if seen < DETAILS_LIMIT:
            self.told.append(Told(word, action, target, scope))

    def of(self, word: str) -> list[Told]:
        """Those of one kind."""
        return [one for one in self.told if one.word == word]


@dataclass(slots=True)
class Report:
    """What an import came to; nothing is applied while there is a bad line.

    `repeated` counts entries whose target an earlier line of the file had named already.  `impact`
    is whom it would have hit lately, where it is only looked at and something is to be blocked.
    """

    format: str
    label: str
    dry_run: bool
    lines: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    repeated: int = 0
    bad: int = 0
    applied: bool = False
    change: int | None = None
    bad_lines: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    impact: dict[str, Any] | None = None
