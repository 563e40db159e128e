"""What a server answers with: its own TTL, return code and text, else those of its account.

Most accounts say it once for all their servers.  One that differs, say because a mail server in
front of it gives each code a meaning of its own, keeps to itself what differs and nothing else.
"""

from dataclasses import dataclass

from mailmum.control.accounts.services import check_ttl
from mailmum.control.servers.models import Server
from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.texts import REASON_LIMIT, clean_line


@dataclass(frozen=True, slots=True)
class Answers:
    """How answers are given.

    Attributes:
        ttl: seconds for which they may be kept; None: as the account says.
        code: return code of listings without their own, as 32-bit integer; None: as the account
            says.
        text: said where a block gives no reason, public; empty: as the account says.
    """

    ttl: int | None = None
    code: int | None = None
    text: str = ""


def clean_answers(ttl: int | None, code: str | None, text: str | None) -> Answers:
    """What somebody wants a server to answer with; empty values leave it to the account.

    Raises:
        BadInput: the TTL or the code is out of range, the text too long or with control characters.
    """
    if ttl is not None:
        check_ttl(ttl)
    return Answers(
        ttl,
        parse_code(code) if code else None,
        clean_line(text or "", field="text", limit=REASON_LIMIT),
    )


def own_answers(server: Server) -> Answers:
    """What it has of its own."""
    return Answers(server.ttl, server.code, server.text)


def answers_of(server: Server) -> Answers:
    """What holds on it; the code may be None for the defaults, the text empty."""
    account = server.account
    return Answers(
        account.ttl if server.ttl is None else server.ttl,
        account.code if server.code is None else server.code,
        server.text or account.text,
    )


def set_answers(server: Server, answers: Answers) -> None:
    """Put them on a server, as part of a change."""
    server.ttl, server.code, server.text = answers.ttl, answers.code, answers.text


def as_state(answers: Answers) -> dict[str, object]:
    """Those that are its own, for the journal."""
    code = None if answers.code is None else code_text(answers.code)
    told: dict[str, object] = {"ttl": answers.ttl, "code": code, "text": answers.text}
    return {name: value for name, value in told.items() if value not in (None, "")}
