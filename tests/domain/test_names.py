"""Names: one canonical form, and clear words about what cannot be one."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.names import LABEL_LIMIT, NAME_LIMIT, parents, parse_name

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-ABCXYZ"


def naive_is_name(text: str) -> bool:
    """Whether ASCII text is a name, said label by label."""
    body = text[:-1] if text.endswith(".") else text
    if not 1 <= len(body) <= NAME_LIMIT:
        return False
    labels = body.split(".")
    for label in labels:
        if not 1 <= len(label) <= LABEL_LIMIT:
            return False
        if any(character not in LETTERS + LETTERS.upper() for character in label):
            return False
        if label[0] == "-" or label[-1] == "-":
            return False
    return not all(character in "0123456789" for character in labels[-1])


@given(st.text(alphabet=LETTERS + ".", max_size=300))
@example("a" * 63 + ".example")
@example("a" * 64 + ".example")
@example(".".join(["a" * 49] * 5) + ".abc")
@example(".".join(["a" * 49] * 5) + ".abcd")
def test_ascii_names(text: str) -> None:
    """Accepted exactly when every label is right, and made lower case without a final dot."""
    if naive_is_name(text):
        assert parse_name(text) == text.removesuffix(".").lower()
    else:
        with pytest.raises(BadInput):
            parse_name(text)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Nothing else is raised; a name read is ASCII and reads back as itself."""
    try:
        name = parse_name(text)
    except BadInput:
        return
    assert name.isascii()
    assert name == name.lower()
    assert naive_is_name(name)
    assert parse_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Spam.EXAMPLE", "spam.example"),
        ("spam.example.", "spam.example"),
        (" spam.example ", "spam.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("spam。example。", "spam.example"),
        ("пример.example", "xn--e1afmkfd.example"),
        ("_spf.mail_1.example", "_spf.mail_1.example"),
    ],
)
def test_canonical_form(text: str, name: str) -> None:
    """Any case, any script, a final dot or none: one form."""
    assert parse_name(text) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a..example", "a..example has an empty label"),
        ("..", "has an empty label"),
        ("", "the name is empty; write for example mail.example.net"),
        ("-a.example", "no hyphen at either end"),
        ("a b.example", "may only have letters"),
        ("a.example\nb.example", "may only have letters"),
        ("a\0.example", "'a\\x00.example'"),
        ("203.0.113.7", "ends in a number: it is no name, and no complete address"),
        ("a" * 64 + ".example", "has more than 63 characters"),
        (".".join(["a" * 50] * 6), "has more than 253 characters"),
        ("ü" * 60 + ".example", "cannot be turned into an internationalised domain name"),
        (".".join(["ü" * 20] * 12), "cannot be turned into an internationalised domain name"),
        ("\u200b.example", "'\\u200b.example' cannot be turned"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, message: str) -> None:
    """The message names the text, escaped where needed, and what is wrong with it."""
    with pytest.raises(BadInput) as caught:
        parse_name(text, field="helo")
    assert message in str(caught.value)
    assert caught.value.field == "helo"


@given(st.lists(st.sampled_from(["a", "mail", "spam", "example"]), min_size=1, max_size=6))
def test_parents_drop_one_label_at_a_time(labels: list[str]) -> None:
    """From the name itself to its last label."""
    found = parents(".".join(labels))
    assert found[0] == ".".join(labels)
    assert found[-1] == labels[-1]
    assert [name.count(".") for name in found] == list(range(len(labels) - 1, -1, -1))
    assert all(longer.endswith(f".{name}") for longer, name in pairwise(found))
