"""Hands a message to the mail server that takes ours, over SMTP.

How the connection is protected is one word:

    tls       TLS from the first byte (port 465); the certificate is checked
    starttls  STARTTLS is required; the certificate is checked
    auto      STARTTLS where it is offered, its certificate not checked, as mail servers do it among
              themselves: good for a relay on this machine or in one's own network
    none      never TLS

A password is sent over a checked connection only, or to this machine.
"""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

TIMEOUT = 15.0
"""Seconds for the connection, and for each reply."""
WAYS = ("auto", "starttls", "tls", "none")
_HERE = ("127.", "::1", "localhost")
_FAR = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server that takes our messages.

    Attributes:
        host, port: where it is.
        tls: how the connection is protected, one of `WAYS`.
        user, password: to sign in; no user: not at all.
    """

    host: str
    port: int
    tls: str = "auto"
    user: str = ""
    password: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is this machine."""
        return self.host.startswith(_HERE)


class NotSent(Exception):
    """A message was not taken.

    Attributes:
        reason: what went wrong, fit to be shown.
        final: whether trying again is of no use: this receiver is refused.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


def send(server: MailServer, message: EmailMessage, sender: str, receiver: str) -> None:
    """Hand one message over.

    Raises:
        NotSent: it was not taken.
    """
    try:
        with _connected(server) as smtp:
            smtp.send_message(message, sender, [receiver])
    except smtplib.SMTPRecipientsRefused as error:
        code, reply = error.recipients[receiver]
        raise NotSent(_said(code, reply), final=500 <= code < 600) from error
    except smtplib.SMTPResponseException as error:
        raise NotSent(_said(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        where = f"{server.host}:{server.port}"
        raise NotSent(f"{where}: {_cut(str(error) or type(error).__name__)}") from error


@contextlib.contextmanager
def _connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    us = socket.gethostname()
    checked = ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.tls == "tls":
        smtp = smtplib.SMTP_SSL(server.host, server.port, us, timeout=TIMEOUT, context=checked)
    else:
        smtp = smtplib.SMTP(server.host, server.port, us, timeout=TIMEOUT)
    try:
        smtp.ehlo()
        if server.tls == "starttls":
            smtp.starttls(context=checked)
        elif server.tls == "auto" and smtp.has_extn("starttls"):
            smtp.starttls(context=_unchecked())
        if server.user:
            if server.tls not in {"tls", "starttls"} and not server.is_here:
                raise smtplib.SMTPException("no password is sent without checked TLS")
            smtp.ehlo()
            smtp.login(server.user, server.password)
        yield smtp
        # The message has been taken: whatever becomes of the farewell, it must not go out again.
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
    finally:
        smtp.close()


def _unchecked() -> ssl.SSLContext:
    # Opportunistic (RFC 7435): against those who only listen, and better than plain text.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _said(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"{code} {_cut(text)}"


def _cut(text: str) -> str:
    """On one line, bounded, without what could play tricks: the other side wrote it."""
    words = " ".join(text.split())
    plain = "".join(letter for letter in words if letter.isprintable())
    return plain if len(plain) <= _FAR else f"{plain[:_FAR]}…"
