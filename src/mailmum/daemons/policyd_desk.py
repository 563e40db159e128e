"""Where requests are answered: by the engine, counted, and logged when something is odd.

A request that makes the engine raise shows a fault of ours.  Mail must flow, so it is answered
DUNNO, counted, and logged with what is needed to reproduce it.  A mail server that shows a wrong
key does so at every message; it is logged once in a while.
"""

from dataclasses import replace

import structlog

from mailmum.daemons.seldom import Seldom, kind_of
from mailmum.dns.counters import ALLOW, BLOCK, NONE, Counters
from mailmum.domain.listings import Action
from mailmum.domain.texts import shown
from mailmum.policy.engine import Answer, Engine
from mailmum.policy.requests import Request

log = structlog.get_logger()

LIST = "policy"
"""What verdicts of this service are counted as, beside the lists of the DNS."""

_AGAIN = 600.0
_CELLS = {None: NONE, Action.BLOCK: BLOCK, Action.ALLOW: ALLOW}
_FIXES = {
    "no-key": "add policy_context=KEY to check_policy_service, with the server's zone key",
    "unknown-key": "compare policy_context with: mailmum server show NAME",
    "unknown-request": "only Postfix's check_policy_service speaks to this port",
}


class Desk:
    """Answers requests.

    Args:
        engine: gives the answers.
        counters: what is counted into.
    """

    def __init__(self, engine: Engine, counters: Counters) -> None:
        self._engine = engine
        self._counters = counters
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

    def count(self, answer: Answer) -> None:
        """Count the verdict of an answer."""
        if answer.server and not answer.revoked:
            self._counters.cell(answer.server, LIST)[_CELLS[answer.verdict]] += 1

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
            log.warning(f"policy.{answer.fault}", given=shown(request.context), fix=fix)

    def _internal(self, request: Request, error: Exception) -> Answer:
        self._counters.fault("internal")
        if self._seldom.due(kind_of(error)):
            without_key = replace(request, context="")
            log.error("policy.internal-fault", request=repr(without_key), exc_info=error)
        return Answer(fault="internal")
