"""How postscreen weighs our lists among those that stand.

postscreen adds up the weights of all DNS lists and acts when the sum reaches a threshold.  A block
of ours must reach it alone, whatever other lists say in favour; an allow must keep the sum below
it, whatever they say against.  Threshold and action stay the administrator's.  Only addresses are
asked about: names are smtpd's business.

    >>> weights("zen.example*3, dnswl.example*-2", 3)
    (5, -13)
"""

import re

from mailmum.domain.errors import Conflict
from mailmum.domain.texts import shown
from mailmum.postfix.current import Current
from mailmum.postfix.restrictions import before, parse, without
from mailmum.postfix.setup_notes import screening
from mailmum.postfix.setup_placement import Setting
from mailmum.postfix.setup_zones import NAMES, SITES, ServerZones, screen_names, screen_sites

_MARGIN = 10
_SITES = "postscreen_dnsbl_sites"
_REPLIES = "postscreen_dnsbl_reply_map"
_SKIP = ("postscreen_dnsbl_allowlist_threshold", "postscreen_dnsbl_whitelist_threshold")
_OURS_BESIDE = re.compile(rf"unionmap:\{{(.*), \${NAMES}\}}", re.DOTALL)


def screen(zones: ServerZones, current: Current, *, trial: bool) -> tuple[list[Setting], list[str]]:
    """The settings for postscreen, and what to tell.

    Raises:
        Conflict: the threshold that stands is not a number.
    """
    sites = current.explicit.get(_SITES)
    others = without(zones.with_key(sites or ""), lambda item: item.reference == SITES)
    block, allow = weights(others, _threshold(current), _skip_threshold(current))
    asked = screen_sites(zones, block_weight=0 if trial else block, allow_weight=allow)
    settings = [
        Setting(SITES, asked, None),
        Setting(NAMES, screen_names(zones), None),
        _sites(sites, zones.with_key(sites or "")),
        _replies(current.explicit.get(_REPLIES)),
    ]
    return settings, list(screening(current, trial=trial))


def weights(sites: str, threshold: int, skip: int = 0) -> tuple[int, int]:
    """The weights of our block and our allow beside the sites of others.

    Args:
        sites: other entries of postscreen_dnsbl_sites.
        threshold: postscreen_dnsbl_threshold.
        skip: postscreen_dnsbl_allowlist_threshold, which an allow reaches if it is below zero.
    """
    given = [_weight(item.word) for item in parse(sites)]
    against = sum(weight for weight in given if weight > 0)
    in_favour = -sum(weight for weight in given if weight < 0)
    return max(threshold, 1) + in_favour, -(against + max(_MARGIN, -skip))


def _weight(site: str) -> int:
    found = re.search(r"\*(-?\d+)$", site)
    return 1 if found is None else int(found[1])


def _sites(former: str | None, value: str) -> Setting:
    bare = without(former or "", lambda item: item.reference == SITES)
    if all(item.reference != SITES for item in parse(value)):
        value = before(value, None, f"${SITES}")
    return Setting(_SITES, value, former if bare == (former or "") else bare or None)


def _replies(former: str | None) -> Setting:
    # A single table may stand here, so a second one needs unionmap (Postfix 3.0).
    if former is None or former in ("", f"${NAMES}"):
        return Setting(_REPLIES, f"${NAMES}", "" if former == "" else None)
    if (beside := _OURS_BESIDE.fullmatch(former)) is not None:
        return Setting(_REPLIES, former, beside[1])
    return Setting(_REPLIES, f"unionmap:{{{former}, ${NAMES}}}", former)


def _threshold(current: Current) -> int:
    return _number(current, "postscreen_dnsbl_threshold", 1)


def _skip_threshold(current: Current) -> int:
    return min(_number(current, n, 0) if n in current.explicit else 0 for n in _SKIP)


def _number(current: Current, name: str, default: int) -> int:
    text = current.explicit.get(name, "").strip()
    if not text:
        return default
    if re.fullmatch(r"-?\d+", text) is None:
        raise Conflict(
            f"{name} is {shown(text)}, from which no weight can be worked out",
            fix=f"set {name} to a number, or leave postscreen out",
        )
    return int(text)
