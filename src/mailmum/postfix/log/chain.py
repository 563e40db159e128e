"""Messages that carry on another: given back by a content filter, or made for a forward.

The first is the contact; what becomes of those that carry it on is what becomes of its recipients.
While one of them is under way, nothing is known of the recipients it stands for.
"""

from collections.abc import Iterable

from mailmum.postfix.log.book import Message
from mailmum.traffic.sightings import Delivery

_MAX_DEPTH = 100


def link(parent: Message, child: Message, passed: tuple[str, str] | None) -> bool:
    """`child` carries on `parent`; whether it can.

    `passed` is for which recipient, and the address that it went to; None: that is yet to be told.
    """
    if child.parent not in (None, parent) or _comes_from(parent, child):
        return False
    child.parent = parent
    if parent.children is None:
        parent.children = {}
    of = parent.children.setdefault(child.queue_id, [])
    if passed is not None and passed not in of:
        of.append(passed)
        recipient, target = passed
        if parent.fates is not None:
            parent.fates[recipient].pop(target, None)
    return True


def inherit(child: Message, *, final: bool = True) -> None:
    """What became of a message becomes of the recipients it stands for; `final`: it is through."""
    parent = child.parent
    if parent is None or parent.children is None or child.queue_id not in parent.children:
        return
    passed = parent.children[child.queue_id]
    if final:
        del parent.children[child.queue_id]
    if parent.fates is None:
        parent.fates = {}
    fates = child.fates or {}
    for recipient, target in passed or [(one, one) for one in parent.fates or fates]:
        told = worst(fates.get(target) or fates.get(recipient) or {}) or worst_of(fates)
        if told is not None:
            parent.fates.setdefault(recipient, {})[target] = told
    if child.score is not None and parent.score is None:
        parent.score, parent.spam = child.score, child.spam


def bequeath(message: Message) -> None:
    """What became of a message so far becomes of all that it carries on."""
    at = message
    while at.parent is not None:
        inherit(at, final=False)
        at = at.parent


def worst(fate: dict[str, Delivery]) -> Delivery | None:
    """What to tell of a recipient whose mail went to several addresses."""
    return _worst(fate.values())


def worst_of(fates: dict[str, dict[str, Delivery]]) -> Delivery | None:
    """The same, of several recipients."""
    return _worst(delivery for fate in fates.values() for delivery in fate.values())


def _worst(deliveries: Iterable[Delivery]) -> Delivery | None:
    told = list(deliveries)
    for one in (Delivery.BOUNCED, Delivery.DEFERRED, Delivery.SENT):
        if one in told:
            return one
    return None


def root(message: Message) -> Message:
    """The contact that a message carries on in the end."""
    while message.parent is not None:
        message = message.parent
    return message


def _comes_from(message: Message, ancestor: Message) -> bool:
    """Whether a message carries on another; also when the chain is longer than can be."""
    at: Message | None = message
    for _ in range(_MAX_DEPTH):
        if at is None:
            return False
        if at is ancestor:
            return True
        at = at.parent
    return True
