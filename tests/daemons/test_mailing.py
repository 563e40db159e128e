"""A message is handed to real mail servers, protected as asked, and what goes wrong is told."""

import socketserver
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from mailmum.daemons import mailing
from mailmum.daemons.mailing import MailServer, NotSent, send
from tests.support.https import https_site
from tests.support.mail_sink import mail_sink
from tests.support.ports import free_port
from tests.support.postfix import postfix
from tests.support.postfix_dns import name_server

SENDER, RECEIVER = "mailmum@sender.example", "owner@example.net"


def letter() -> EmailMessage:
    """A message with a letter that ASCII does not have."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = SENDER, RECEIVER, "Spitze — 42"
    made["Message-ID"] = "<1@sender.example>"
    made.set_content("Größer als sonst.\n.\nEnde\n")
    return made


def test_a_message_arrives_as_it_was() -> None:
    """Headers, text with a line of one dot, and the envelope."""
    with mail_sink() as sink:
        send(MailServer("127.0.0.1", sink.port), letter(), SENDER, RECEIVER)
        [got] = sink.messages(1)
    assert got["Subject"] == "Spitze — 42"
    assert got.get_content().rstrip() == "Größer als sonst.\n.\nEnde"
    assert (got["X-Mail-Args"].split()[0], got["X-Rcpt-Args"]) == (f"<{SENDER}>", f"<{RECEIVER}>")


@pytest.mark.parametrize(
    ("options", "final", "says"),
    [
        (("-f", "RCPT"), True, "500"),
        (("-r", "RCPT"), False, "450"),
        (("-f", "MAIL"), False, "500"),
        (("-r", "."), False, "450"),
        (("-q", "DATA"), False, "127.0.0.1"),
    ],
)
def test_what_is_refused_is_told(options: tuple[str, str], final: bool, says: str) -> None:
    """A receiver refused for good is told as such; all else is worth another try."""
    with mail_sink(*options) as sink, pytest.raises(NotSent) as caught:
        send(MailServer("127.0.0.1", sink.port), letter(), SENDER, RECEIVER)
    assert caught.value.final is final
    assert says in caught.value.reason


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is named; a server that accepts and says nothing is not waited for for ever."""
    port = free_port("tcp")
    with pytest.raises(NotSent, match=f"127.0.0.1:{port}"):
        send(MailServer("127.0.0.1", port), letter(), SENDER, RECEIVER)
    monkeypatch.setattr(mailing, "TIMEOUT", 0.2)
    with talking(silent) as port, pytest.raises(NotSent, match="timed out"):
        send(MailServer("127.0.0.1", port), letter(), SENDER, RECEIVER)


def test_a_reply_that_plays_tricks() -> None:
    """What the other side wrote is one line of bounded length without control characters."""
    with talking(hostile) as port, pytest.raises(NotSent) as caught:
        send(MailServer("127.0.0.1", port), letter(), SENDER, RECEIVER)
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300
    assert "550" in caught.value.reason


def test_tls_with_a_real_postfix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checked way takes a certificate of a known authority only; `auto` takes any."""
    wrapped = free_port("tcp")
    with https_site(tmp_path) as site, name_server() as dns:
        both = tmp_path / "site.pem"
        settings = {
            "smtpd_tls_chain_files": str(both),
            "smtpd_tls_security_level": "encrypt",
            "smtpd_tls_loglevel": "1",
        }
        service = f"127.0.0.1:{wrapped} inet n - y - - smtpd -o smtpd_tls_wrappermode=yes"
        with postfix(dns.address, settings, services=[service]) as server:
            ways = {"starttls": server.port, "tls": wrapped, "auto": server.port}
            for way in ("starttls", "tls"):
                with pytest.raises(NotSent, match="certificate"):
                    send(MailServer("localhost", ways[way], way), letter(), SENDER, RECEIVER)
            with pytest.raises(NotSent, match="STARTTLS"):
                send(MailServer("localhost", server.port, "none"), letter(), SENDER, RECEIVER)
            send(MailServer("localhost", server.port, "auto"), letter(), SENDER, RECEIVER)
            monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))
            for way in ("starttls", "tls"):
                send(MailServer("localhost", ways[way], way), letter(), SENDER, RECEIVER)
            log = server.await_log(lambda log: log.count("status=sent") == 3)
    assert log.count("TLS connection established") >= 3


def test_starttls_that_is_not_offered() -> None:
    """Where TLS is required, nothing goes out without it."""
    with mail_sink() as sink:
        with pytest.raises(NotSent, match="STARTTLS"):
            send(MailServer("127.0.0.1", sink.port, "starttls"), letter(), SENDER, RECEIVER)
        sink.messages(0)


def test_a_password() -> None:
    """It is sent to this machine; elsewhere never without a checked certificate."""
    seen.clear()
    with talking(signing_in) as port:
        here = MailServer("127.0.0.1", port, "auto", "alerts", "s3cret")
        send(here, letter(), SENDER, RECEIVER)
        assert b64decode(seen[0]) == b"\0alerts\0s3cret"
        seen.clear()
        # Another name of this machine, which the rule does not know.
        far = MailServer("0.0.0.0", port, "auto", "alerts", "s3cret")
        with pytest.raises(NotSent, match="no password is sent"):
            send(far, letter(), SENDER, RECEIVER)
    assert seen == []


seen: list[str] = []


def silent(handler: socketserver.StreamRequestHandler) -> None:
    """Says nothing until the other side goes."""
    handler.rfile.read()


def hostile(handler: socketserver.StreamRequestHandler) -> None:
    """A greeting that is a refusal, with everything in it."""
    handler.wfile.write(b"550 \x1b[2J<b>\xff\xfe" + b"x" * 400 + b"\r\n")
    handler.rfile.read()


def signing_in(handler: socketserver.StreamRequestHandler) -> None:
    """Offers AUTH PLAIN, takes a message, and does not know how to say farewell."""
    handler.wfile.write(b"220 here\r\n")
    for line in handler.rfile:
        verb, _, rest = line.decode().strip().partition(" ")
        verb = verb.upper()
        if verb == "EHLO":
            handler.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
        elif verb == "AUTH":
            seen.append(rest.partition(" ")[2])
            handler.wfile.write(b"235 welcome\r\n")
        elif verb == "DATA":
            handler.wfile.write(b"354 go on\r\n")
            while handler.rfile.readline() not in (b".\r\n", b""):
                pass
            handler.wfile.write(b"250 taken\r\n")
        else:
            handler.wfile.write(b"250 fine\r\n")


@contextmanager
def talking(talk: object) -> Iterator[int]:
    """A server that talks as a function does; its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            talk(self)  # type: ignore[operator]

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
