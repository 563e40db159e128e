"""Reading what postconf prints."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.postfix.current import QUESTIONS, Current, Override

EXPLICIT = """\
compatibility_level = 3.6
mydestination =
smtpd_client_restrictions = permit_mynetworks, reject_rbl_client zen.example=127.0.0.[2..11]
smtpd_delay_reject = No
"""
DEFAULTS = "mail_version = 3.7.11\nsmtpd_helo_required = no\nmydestination = $myhostname\n"
SERVICES = "smtp       inet  n       -       y       -       1       postscreen\n"
OVERRIDES = (
    "submission/inet/smtpd_client_restrictions = permit_sasl_authenticated,reject\n"
    "127.0.0.1:10025/inet/mynetworks = 127.0.0.0/8\n"
)


def current(**changes: str) -> Current:
    """The samples above, read."""
    texts = {
        "explicit": EXPLICIT,
        "defaults": DEFAULTS,
        "services": SERVICES,
        "overrides": OVERRIDES,
    }
    return Current.read(texts | changes)


def test_what_main_cf_sets_outranks_the_default() -> None:
    """An empty setting is a setting; what is unknown is empty."""
    assert current().value("mydestination") == ""
    assert current().value("smtpd_helo_required") == "no"
    assert current().value("no_such") == ""


def test_values_may_hold_equals_signs() -> None:
    """Only the first ` =` parts name and value."""
    assert current().explicit["smtpd_client_restrictions"].endswith("=127.0.0.[2..11]")


def test_yes_or_no_is_read_in_any_case() -> None:
    """Postfix takes `No` as well."""
    assert current().says_no("smtpd_delay_reject")
    assert not current().says_no("no_such")


def test_overrides_name_their_service() -> None:
    """A service may hold a colon or an address."""
    assert current().overrides == (
        Override(
            "submission/inet", "smtpd_client_restrictions", "permit_sasl_authenticated,reject"
        ),
        Override("127.0.0.1:10025/inet", "mynetworks", "127.0.0.0/8"),
    )


def test_postscreen_is_found_by_its_command() -> None:
    """The service is called smtp with postscreen in front, and without."""
    assert current().has_postscreen
    assert not current(services="smtp inet n - y - - smtpd\npostscreen inet n").has_postscreen


def test_the_version_is_read_from_snapshots_too() -> None:
    """Stable releases and snapshots begin alike; without a version there is none."""
    assert current().version == (3, 7)
    assert current(defaults="mail_version = 3.12-20260821").version == (3, 12)
    assert current(defaults="").version is None


@given(st.fixed_dictionaries({key: st.text(max_size=200) for key in QUESTIONS}))
def test_any_output_can_be_read(outputs: dict[str, str]) -> None:
    """Warnings or garbage among the output are passed over."""
    read = Current.read(outputs)
    assert all(isinstance(value, str) for value in read.explicit.values())
