"""What smtpd, postscreen and cleanup say when they turn something away.

All have one form (smtpd's log_whatsup, and postscreen's with commas before `to`, `proto`, `helo`):

    VERB: STAGE from NAME[ADDRESS]: REPLY; from=<S> to=<R> proto=ESMTP helo=<H>

Sender, recipient, HELO and parts of the reply are the client's own words.  Nothing here searches
them for meaning where that can be helped: the reply is cut off before `; from=<`, and what it says
about an address (`<somebody@example>: Recipient address rejected: ...`) is read after it.
"""

import re
from collections.abc import Iterable

from mailmum.postfix.log.bounds import ADDRESS, NAME, REASON
from mailmum.traffic.sightings import Outcome

_CODES = {f"{code} ": code for code in range(400, 600)}
_AFTER_CODE = (" ", "")
_TAILS = ("; from=<", "; to=<", "; proto=", "; helo=<")
_ZONE_WORD = re.compile(r"[^\s;,()<>\"']{1,255}")
# Words before the name of a list in reply texts of one's own, and a name that can be a zone.
_CUSTOM = re.compile(
    r"\b(?:blocked|listed|rejected|denied|found|refused|blacklisted|blocklisted)"
    r" (?:using|by|in|at|on|via|from|due to) (?:the )?"
    r"((?:[A-Za-z0-9_-]{1,63}\.){1,12}[A-Za-z]{2,63})(?![\w.-]*@|\w)",
    re.ASCII | re.IGNORECASE,
)
_LOCAL = re.compile(r"\bblocked by ([^\s;,()<>\"']{1,255})(?:$|[;,])", re.IGNORECASE)
_NO_SUCH_USER = (
    "user unknown",
    "unknown user",
    "no such user",
    "user doesn't exist",
    "user does not exist",
    "undeliverable address",
    "recipient unknown",
    "unknown recipient",
    "no mailbox",
    "mailbox not found",
)
_PROTOCOL = (
    "improper use of smtp command pipelining",
    "protocol error",
    "smtp protocol synchronization",
    "bare <lf>",
    "bare newline",
)


_judged: dict[tuple[str, int | None, str, str], tuple[Outcome, str | None]] = {}
_named: dict[tuple[int | None, str, str], tuple[Outcome, str | None]] = {}
_JUDGED = 4096

Fields = tuple[str | None, str | None, str | None]
"""Sender, recipient and HELO."""
Usual = tuple[int, str, str, str, str, str]
Refusal = tuple[str, str, int | None, str, str | None, str | None, str | None]
"""What one such line says: stage (CONNECT, HELO, MAIL, RCPT, DATA, END-OF-MESSAGE and so on), the
client as logged, code and rest of the reply, sender, recipient and HELO.  None is not said.

A plain tuple: this is made for every tenth line of a log.
"""


def usual(text: str) -> Usual | None:
    """Read `reject: RCPT from ...` if it has the usual form, as most have, and quicker.

    Code, reply, client, sender, recipient, HELO: the same as `refusal` would say, whose first steps
    these are.
    """
    body, _, tail = text.partition("; from=<")
    sender, _, tail = tail.partition("> to=<")
    recipient, _, tail = tail.partition("> proto=")
    _, _, helo = tail.partition(" helo=<")
    who, _, reply = body.partition("]: ")
    code = _CODES.get(reply[:4])
    if (
        code is None
        or helo.find(">") != len(helo) - 1
        or who[:18] != "reject: RCPT from "
        or "]" in who
        or len(helo) > NAME
        or len(sender) > ADDRESS
        or len(recipient) > ADDRESS
        or len(reply) > REASON
        or not helo
    ):
        return None
    return code, reply[4:], who[18:] + "]", sender, recipient, helo[:-1]


def refusal(text: str) -> Refusal | None:
    """Read what follows the verb, `RCPT from ...`; None when it has another form."""
    body, found, tail = text.partition("; from=<")
    fields: Fields
    if found:
        sender, _, more = tail.partition("> to=<")
        recipient, _, more = more.partition("> proto=")
        _, _, helo = more.partition(" helo=<")
        if helo[-1:] == ">" and ">" not in helo[:-1]:
            fields = (sender[:ADDRESS], recipient[:ADDRESS], helo[:-1][:NAME])
        else:
            fields = _fields("from=<" + tail)
    else:
        body, fields = _other_tail(text)
    stage, _, rest = body.partition(" from ")
    # The name comes from DNS and holds no bracket; postscreen adds the port, `[192.0.2.1]:40000`.
    end = rest.find("]") + 1
    if end and rest[end : end + 2] == ": ":
        reply = rest[end + 2 :]
    elif end and rest[end : end + 1] == ":":
        end = max(rest.find(": ", end), end)
        reply = rest[end + 2 :]
    else:
        # What filters before the queue say names no client.
        stage, _, reply = body.partition(": ")
        end = 0
    if not reply or " " in stage or len(stage) > 20:
        return None
    code = reply[:3]
    if code.isdigit() and code.isascii() and reply[3:4] in _AFTER_CODE:
        return (stage, rest[:end], int(code), reply[4 : 4 + REASON], *fields)
    return (stage, rest[:end], None, reply[:REASON], *fields)


def checked(text: str) -> Refusal | None:
    """What header_checks and body_checks say of a message.

    `header Subject: ... from NAME[ADDRESS]; from=<S> to=<R> proto=ESMTP helo=<H>: REPLY`, where the
    line of the message may hold anything: the tail is looked for from the end.
    """
    body, found, tail = text.rpartition("; from=<")
    if not found:
        return None
    who = body.rpartition(" from ")[2]
    reply = tail.partition(">: ")[2]
    fields = _fields("from=<" + tail.partition(">: ")[0] + ">")
    return ("END-OF-MESSAGE", who, None, reply[:REASON], *fields)


def _other_tail(text: str) -> tuple[str, Fields]:
    """Reply and fields where no sender is named: refused at CONNECT or HELO, or asked by VRFY."""
    starts = [at for at in map(text.find, _TAILS) if at >= 0]
    if not starts:
        return text, (None, None, None)
    at = min(starts)
    return text[:at], _fields(text[at + 2 :])


def _fields(tail: str) -> Fields:
    """Sender, recipient and HELO of any tail, also one with commas or cut short by syslog."""
    return (
        _field(tail, "from=<", (">, to=<", "> to=<", ">, proto=", "> proto=")),
        _field(tail, " to=<", (">, proto=", "> proto=", ">, helo=", "> helo=")),
        _field(tail, " helo=<", ("> sasl_username=", ">: ")),
    )


def _field(tail: str, name: str, ends: tuple[str, ...]) -> str | None:
    if name[0] == " ":
        at = tail.find(name)
        if at < 0 and tail.startswith(name[1:]):
            at = -1
        elif at < 0:
            return None
    elif tail.startswith(name):
        at = 0
    else:
        return None
    rest = tail[at + len(name) :]
    found = [end for end in map(rest.find, ends) if end >= 0]
    value = rest[: min(found)] if found else rest.removesuffix(">")
    return value[: NAME if "helo" in name else ADDRESS]


def judge(
    stage: str, code: int | None, reply: str, subjects: Iterable[str | None]
) -> tuple[Outcome, str | None]:
    """The outcome a refusal stands for, and the zone of the list that decided, if one did.

    `subjects` are the client's words that the reply may be about, `<somebody@example>: `.
    """
    at = reply.find(" blocked using ")
    if at >= 0:
        # Of the few lists that a server asks, each is read once.
        named = (code, reply[:1], reply[at + 15 :].partition(";")[0][:NAME])
        judged = _named.get(named)
        if judged is None:
            judged = _judge_named(*named)
        if judged[1] is not None:
            return judged
    dsn, _, said = reply.partition(" ")
    if dsn[1:2] != "." or dsn[:1] not in "245":
        dsn, said = "", reply
    if said[:1] == "<":
        said = _after_subject(said, subjects)
    if said[-1:] == "]":  # `cannot find your hostname, [192.0.2.1]`: one of few but for that
        said = said[: said.rfind("[")]
    key = (stage, code, dsn, said)
    judged = _judged.get(key)
    if judged is None:
        if len(_judged) >= _JUDGED:
            _judged.clear()
        judged = _judged[key] = _judge(stage, code, dsn, said)
    return judged


def _judge_named(code: int | None, first: str, name: str) -> tuple[Outcome, str | None]:
    if len(_named) >= _JUDGED:
        _named.clear()
    found = _ZONE_WORD.match(name)
    zone = found[0].rstrip(".:").lower() if found is not None else ""
    judged = _named[(code, first, name)] = (_by_code(code, first), zone or None)
    return judged


def _judge(stage: str, code: int | None, dsn: str, said: str) -> tuple[Outcome, str | None]:
    lowered = said.lower()
    if "relay access denied" in lowered or "relaying denied" in lowered:
        return Outcome.RELAY_DENIED, None
    if stage in ("RCPT", "VRFY") and _is_unknown(code, dsn, lowered):
        return Outcome.UNKNOWN_RECIPIENT, None
    if any(word in lowered for word in _PROTOCOL):
        return Outcome.PROTOCOL, None
    return _by_code(code, dsn), _list_named(said)


def _by_code(code: int | None, dsn: str) -> Outcome:
    first = code // 100 if code is not None else dsn[:1]
    return Outcome.DEFERRED if first in (4, "4") else Outcome.REJECTED


def _after_subject(said: str, subjects: Iterable[str | None]) -> str:
    """The reply after what it is about, which the client may have chosen."""
    for subject in subjects:
        if subject is not None and said.startswith(f"<{subject}>: "):
            return said[len(subject) + 4 :]
    return said.partition(">: ")[2] or said


def _is_unknown(code: int | None, dsn: str, said: str) -> bool:
    _, found, why = said.partition("recipient address rejected: ")
    if not found:
        # From an access map of one's own: `550 5.1.1 <who>: no such user here`.
        return not said.startswith(("sender address", "client host", "helo")) and any(
            word in said for word in _NO_SUCH_USER
        )
    if why.startswith("unverified address"):
        # 4xx while nothing is known of the address yet, or its server is away.
        return code is not None and code >= 500
    return dsn in ("5.1.1", "4.1.1") or any(word in why for word in _NO_SUCH_USER)


def _list_named(said: str) -> str | None:
    found = _CUSTOM.search(said) or _LOCAL.search(said)
    return found[1].rstrip(".:").lower() if found else None
