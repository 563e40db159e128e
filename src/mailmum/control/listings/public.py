"""What a stranger may know of a verdict: for the page that explains a reject.

The reference of a server stands in SMTP replies, so anybody may ask.  The answer is a value of its
own with public fields only: no key, no note, no target (it would tell what else is listed), nobody
who listed it, nothing of other accounts.
"""

from dataclasses import dataclass

from mailmum.control.accounts.access import Reading, system_access
from mailmum.control.listings.queries import explain
from mailmum.control.servers.answers import answers_of
from mailmum.control.servers.queries import find_by_ref, keys_of_account
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import NotFound
from mailmum.domain.public import without_key
from mailmum.domain.verdicts import Word


@dataclass(frozen=True, slots=True)
class PublicAnswer:
    """What is told about one client at one server.

    Attributes:
        client: the client in canonical form.
        blocked: whether mail from it is refused now; all else is empty when it is not.
        reason: the public reason, empty when none was given.
        contact: how to reach the administrator, empty when the account does not say.
    """

    client: str
    blocked: bool
    reason: str
    contact: str


def explain_publicly(ref: str, client: str) -> PublicAnswer:
    """Whether and why a server refuses a client, for everybody to read.

    Raises:
        NotFound: no server has this reference; removed ones are unknown too.
        BadInput: the client is neither an address nor a host name.
    """
    server = find_by_ref(ref)
    if server is None:
        raise NotFound("there is nothing to explain at this address")
    subject = parse_subject(client)
    reading: Reading = system_access(server.account)
    found = explain(reading, subject, server)
    because = found.because if found.verdict.word is Word.BLOCK else None
    if because is None:
        return PublicAnswer(subject.text, blocked=False, reason="", contact="")
    keys = keys_of_account(reading)
    return PublicAnswer(
        subject.text,
        blocked=True,
        reason=_without(keys, because.reason or answers_of(server).text),
        contact=_without(keys, server.account.contact),
    )


def _without(keys: list[str], text: str) -> str:
    # Somebody may have pasted a zone into a reason; DNS strikes keys out of its texts too.
    for key in keys:
        text = without_key(text, key)
    return text
