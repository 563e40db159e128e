r"""What Postfix is told to do, as one line of its access(5) language.

- No verdict: `DUNNO`, go on as if nobody had been asked.
- Allow: `permit_auth_destination`, the name of a restriction.  It ends the list of restrictions
  with a yes if the mail is for a domain of this server, and else does nothing; so an allow can
  never open a relay, wherever the check stands.
- Block: `REJECT`, an enhanced status code (RFC 3463: 5.7.1, refused by policy), the public text.

    >>> reject("Sent spam", "https://mx.example.net/why/q3/203.0.113.7", ())
    b'REJECT 5.7.1 Sent spam. See https://mx.example.net/why/q3/203.0.113.7'

UTF-8 stands as it is: Postfix passes it on, or puts blanks where `smtputf8_enable` is off.
"""

from collections.abc import Iterable

from mailmum.domain.public import public_text

DUNNO = b"DUNNO"
ALLOW = b"permit_auth_destination"

TEXT_LIMIT = 380
"""Bytes of text: Postfix cuts a reply at 510 (RFC 5321 section 4.5.3.1.5) and begins it with a code
and the name and address of the client."""


def reject(reason: str, link: str, keys: Iterable[str]) -> bytes:
    """The action that refuses a client, with the public reason and the link that explains it."""
    text = public_text(one_line(reason), one_line(link), keys, limit=TEXT_LIMIT)
    # The limit may have cut a character of a very long link in two, which Postfix would not take.
    return b"REJECT 5.7.1 " + text.decode("utf-8", "ignore").encode()


def reply(action: bytes) -> bytes:
    """The reply that carries an action."""
    return b"action=" + action + b"\n\n"


def one_line(text: str) -> str:
    r"""The text on one line, without control characters or marks that reorder what is displayed.

    >>> one_line("one\r\n554 two\x1b[2J")
    'one 554 two [2J'
    """
    visible = (character if character.isprintable() else " " for character in text)
    return " ".join("".join(visible).split())
