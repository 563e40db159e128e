"""Where requests are answered: by the engine, counted, taken down, logged when something is odd.

A request that makes the engine raise shows a fault of ours.  Mail must flow, so it is answered
DUNNO, counted, and logged with what is needed to reproduce it.  A mail server that shows a wrong
key does so at every message; it is logged once in a while.

Every request about a recipient is a sighting.  Postfix asks once at each RCPT command for each list
of restrictions that names the service; which requests are about the same is for the connection to
tell (`policyd_connections`).
"""

from dataclasses import replace

import structlog

from mailmum.daemons.dnsd_faults import traceback_without
from mailmum.daemons.seldom import Seldom, kind_of
from mailmum.daemons.sightings import Sightings
from mailmum.dns.counters import ALLOW, BLOCK, NONE, WIDE, Client, Counters, client_of
from mailmum.domain.clients import AddressSubject, Subject
from mailmum.domain.listings import Action
from mailmum.domain.texts import shown
from mailmum.policy.clients import UNKNOWN, address_of
from mailmum.policy.engine import Answer, Engine
from mailmum.policy.requests import Request
from mailmum.traffic.sightings import Outcome, Sighting

log = structlog.get_logger()

LIST = SERVICE = "policy"
"""What verdicts of this service are counted as, beside the lists of the DNS, and sighted as."""

_AGAIN = 600.0
_WORDS = {None: NONE, Action.BLOCK: BLOCK, Action.ALLOW: ALLOW}
_OUTCOMES = {
    None: Outcome.UNLISTED,
    Action.BLOCK: Outcome.LISTED,
    Action.ALLOW: Outcome.ALLOWED,
}
# Characters that are kept of a name and of a mail address, as of those out of logs.
_NAME, _ADDRESS = 255, 320
_FIXES = {
    "no-key": "add policy_context=KEY to check_policy_service, with the server's zone key",
    "unknown-key": "compare policy_context with: mailmum server show NAME",
    "unknown-server": "compare policy_servers with: mailmum server list",
    "unknown-request": "only Postfix's check_policy_service speaks to this port",
}


class Desk:
    """Answers requests.

    Args:
        engine: gives the answers.
        counters: what is counted into.
        sightings: where requests are taken down.
    """

    def __init__(self, engine: Engine, counters: Counters, sightings: Sightings) -> None:
        self._engine = engine
        self._counters = counters
        self._sightings = sightings
        self._seldom = Seldom(_AGAIN)

    def answer(self, request: Request, now: float) -> Answer:
        """The answer to a request at `now` (Unix time); never raises."""
        try:
            answer = self._engine.answer(request, now)
        # The last resort: one request that shows a fault of ours must not stop mail.
        except Exception as error:  # noqa: BLE001
            return self._internal(request, error)
        if answer.fault or answer.revoked:
            self._note(request, answer)
        return answer

    def count(self, request: Request, answer: Answer, now: float) -> None:
        """Count the verdict of an answer given at `now` (Unix time), and take the request down."""
        if not answer.server or answer.revoked:
            return
        address = address_of(request.address)
        code = _WORDS[answer.verdict] | (WIDE if answer.wide else 0)
        self._counters.count(answer.server, LIST, _client(answer.subject or address), code)
        self._counters.fold()
        seen = _sighting(request, address, _OUTCOMES[answer.verdict], now)
        self._sightings.add(answer.server, seen)

    def broken(self, reason: str, client: str) -> None:
        """A connection had to be closed because of what came, or did not come, over it."""
        self._counters.fault(reason)
        if self._seldom.due(reason):
            log.warning("policy.connection-broken", reason=reason, client=client)

    def _note(self, request: Request, answer: Answer) -> None:
        if answer.revoked:
            self._counters.revoked(answer.server, answer.revoked)
            if self._seldom.due(("revoked", answer.server)):
                fix = "put the server's present key into policy_context"
                log.warning("policy.revoked-key", server=answer.server, fix=fix)
            return
        self._counters.fault(answer.fault)
        if answer.fault in _FIXES and self._seldom.due(answer.fault):
            fix = _FIXES[answer.fault]
            # Of a request of another kind the context may well be a key.
            odd = answer.fault == "unknown-request"
            given = shown(request.kind if odd else request.server or request.context)
            log.warning(f"policy.{answer.fault}", given=given, fix=fix)

    def _internal(self, request: Request, error: Exception) -> Answer:
        self._counters.fault("internal")
        if self._seldom.due(kind_of(error)):
            without_key = replace(request, context="")
            told = traceback_without(request.context.encode(), error)
            log.error("policy.internal-fault", request=repr(without_key), exception=told)
        return Answer(fault="internal")


def _client(subject: Subject | None) -> Client:
    """A client as it is counted; one without a readable address as an empty name."""
    if isinstance(subject, AddressSubject):
        return client_of(subject.version, subject.address)
    return "" if subject is None else subject.name


def _sighting(
    request: Request, address: AddressSubject | None, outcome: Outcome, now: float
) -> Sighting:
    known = bool(request.sender or request.recipient)
    return Sighting(
        time=now,
        service=SERVICE,
        client=None if address is None else address.text,
        client_name=None if request.name == UNKNOWN else request.name[:_NAME] or None,
        helo=request.helo[:_NAME] or None,
        # Empty before MAIL FROM, and for the null sender: then there is a recipient, too.
        sender=request.sender[:_ADDRESS] if known else None,
        recipient=request.recipient[:_ADDRESS] or None,
        outcome=outcome,
    )
