"""Zones and restriction lists that several tests set up with."""

from hypothesis import strategies as st

from mailmum.postfix.setup_zones import ServerZones

KEY = "k3yabcdefgh12345"
BASE = "rbl.example.net"


def zones_of(key: str) -> ServerZones:
    """The zones of a server that has this key."""
    names = {name: f"{key}.{name}.{BASE}" for name in ("bl", "wl", "dbl", "dwl")}
    return ServerZones(name="mx1", base=BASE, **names)


ZONES = zones_of(KEY)

WORDS = st.sampled_from(
    [
        "permit_mynetworks",
        "permit_sasl_authenticated",
        "reject_rbl_client zen.example=127.0.0.[2..11]",
        "warn_if_reject reject_rbl_client other.example",
        "REJECT_RHSBL_HELO names.example",
        "check_client_access hash:/etc/postfix/clients",
        "check_policy_service { inet:127.0.0.1:10023, timeout=10s }",
        "hash:/etc/postfix/access",
        "reject_unauth_destination",
        "$more",
        "${more?{reject_rbl_client x.example}}",
        "sleep 1",
        "permit",
    ]
)
SEPARATORS = st.sampled_from([",", ", ", " ", "  ", ",\t", " , "])


@st.composite
def lists(draw: st.DrawFn) -> str:
    """A list as an administrator may have written it."""
    text = ""
    for word in draw(st.lists(WORDS, max_size=8)):
        text += (draw(SEPARATORS) if text else "") + word
    return text
