"""One parcel to one channel, by mail or to a webhook.

Webhooks get a POST of JSON whose headers prove who sent it and when:

    Mailmum-Id         of the parcel; the same when it comes again
    Mailmum-Timestamp  Unix time of this try
    Mailmum-Signature  v1= and HMAC-SHA256, in hex, of timestamp, a dot, and the body

Where it may go is decided by `daemons.outgoing`: https, and no address of the networks around here.
"""

import hashlib
import hmac
import json

from django.core import signing

from mailmum.control import config
from mailmum.control.alerts.letters import Envelope, alert_letter
from mailmum.control.alerts.models import Channel, Manner, Parcel
from mailmum.control.alerts.report import report_from
from mailmum.control.alerts.report_letter import report_letter
from mailmum.control.outgoing import outgoing
from mailmum.daemons import mailing
from mailmum.daemons.mailing import NotSent
from mailmum.daemons.outgoing import Unreached, Unsafe
from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown

EMAIL, WEBHOOK = "email", "webhook"
STOP_SALT = "mailmum.alerts.stop"
REPLY_LIMIT = 64 * 1024
TIMEOUT = 15.0


class Failed(Exception):
    """A parcel was not taken.

    Attributes:
        reason: what went wrong, fit to be shown.
        final: whether trying again is of no use.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


def send(parcel: Parcel, now: float) -> None:
    """Hand a parcel over.

    Raises:
        Failed: it was not taken.
    """
    if parcel.channel.kind == EMAIL:
        _mail(parcel, now)
    else:
        _post(parcel, now)


def stop_link(channel: Channel) -> str:
    """The link by which whoever gets the mail of a channel ends it."""
    token = signing.dumps([channel.account_id, channel.kind, channel.target], salt=STOP_SALT)
    return f"{config.current().base_url}/stop/{token}/"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What proves that a body was sent by whoever knows the secret, and when."""
    signed = timestamp.encode("ascii") + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _mail(parcel: Parcel, now: float) -> None:
    parameters = config.current()
    server = parameters.mail_server
    if server is None:
        raise Failed("no mail server is set: see the parameter smtp_host")
    envelope = _envelope(parcel)
    if parcel.what == "report":
        letter = report_letter(envelope, report_from(parcel.content["report"]), now)
    else:
        letter = alert_letter(envelope, parcel.content["events"], now)
    try:
        mailing.send(server, letter, envelope.sender, envelope.receiver)
    except NotSent as error:
        raise Failed(error.reason, final=error.final) from error


def _envelope(parcel: Parcel) -> Envelope:
    channel, parameters = parcel.channel, config.current()
    manner = Manner.objects.filter(account=channel.account_id).first()
    return Envelope(
        sender=parameters.sender,
        receiver=channel.target,
        ref=parcel.ref,
        account=channel.account.name,
        url=f"{parameters.base_url}/a/{channel.account_id}/",
        stop=stop_link(channel),
        zone=manner.zone if manner else "UTC",
    )


def _post(parcel: Parcel, now: float) -> None:
    body = json.dumps({"id": parcel.ref, **parcel.content}, separators=(",", ":")).encode()
    timestamp = str(int(now))
    headers = {
        "Content-Type": "application/json",
        "Mailmum-Id": parcel.ref,
        "Mailmum-Timestamp": timestamp,
        "Mailmum-Signature": signature(parcel.channel.secret, timestamp, body),
    }
    try:
        reply = outgoing().request(
            "POST",
            parcel.channel.target,
            headers=headers,
            body=body,
            limit=REPLY_LIMIT,
            timeout=TIMEOUT,
        )
    except (Unsafe, BadInput) as refusal:
        raise Failed(str(refusal), final=True) from refusal
    except Unreached as refusal:
        raise Failed(str(refusal)) from refusal
    if reply.status == 410:
        raise Failed("it answers 410: gone for good", final=True)
    if not reply.ok:
        text = reply.body[:60].decode("utf-8", "replace").strip()
        said = shown(text) if text else "without a word"
        if "location" in reply.headers:
            said = "and redirects, which is not followed: give the address at which it ends"
        raise Failed(f"it answers {reply.status} {said}")
