"""What triggers have decided, as pages show it."""

from collections.abc import Sequence
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.triggers.evidence import show
from mailmum.control.triggers.models import Finding
from mailmum.domain.words import span

LOOKS = {
    "list": ("own", "o-own", "Listed"),
    "would": ("info", "", "Would have listed"),
    "past": ("clock", "", "Too late to list"),
    "spare": ("allowed", "o-allowed", "Spared"),
    "stop": ("stop", "o-own", "Stopped itself before"),
}


def finding_rows(access: Reading, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings with their mark, and with moments that can be shown in the reader's zone."""
    return [
        {
            **told,
            "look": LOOKS[one.kind],
            "window": span(one.rule["window"]),
            "at": one.at,
            "first": one.evidence["first"] // 1000,
            "last": one.evidence["last"] // 1000,
        }
        for told, one in zip(show(access, findings), findings, strict=True)
    ]
