"""The grammar of restriction lists, and edits that undo themselves."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mailmum.postfix.restrictions import (
    Closing,
    before,
    closing,
    flatten,
    is_dns_list,
    parse,
    without,
)
from tests.postfix.samples import lists


def words(value: str) -> list[str]:
    """The restrictions with their arguments."""
    return [item.text for item in parse(value)]


def test_arguments_belong_to_their_restriction() -> None:
    """A restriction that takes an argument and its argument are one item, braces one word."""
    value = (
        "check_policy_service { inet:[::1]:7777, timeout=5s } reject_rbl_client a.example=127.0.0.2"
    )
    first, second = parse(value)
    assert first.argument == "{ inet:[::1]:7777, timeout=5s }"
    assert (second.word, second.argument) == ("reject_rbl_client", "a.example=127.0.0.2")


def test_warn_if_reject_belongs_to_what_follows() -> None:
    """An item begins at the warn_if_reject before it, so that nothing is put in between."""
    (item,) = parse(" warn_if_reject reject_rbl_client a.example")
    assert (item.word, item.start) == ("reject_rbl_client", 1)


def test_words_are_read_in_any_case_and_tables_as_written() -> None:
    """Postfix compares restrictions without case; names of tables and parameters have case."""
    value = "Permit_MyNetworks hash:/Etc/Access $My_Rbls"
    assert words(value) == ["permit_mynetworks", "hash:/Etc/Access", "$My_Rbls"]


def test_references_are_recognised_in_their_three_forms() -> None:
    """$name, ${name} and $(name) refer to a parameter; a conditional does not."""
    assert [i.reference for i in parse("$a ${b} $(c) ${d?x} e")] == ["a", "b", "c", "", ""]


def test_references_are_followed_to_what_they_bring() -> None:
    """A list hidden in parameters, nested ones and conditional ones too, is found."""
    parameters = {"outer": "permit_mynetworks, $inner", "inner": "reject_rbl_client a.example"}
    (item,) = parse("$outer")
    assert [i.text for i in flatten(item, parameters)] == [
        "permit_mynetworks",
        "reject_rbl_client a.example",
    ]
    (item,) = parse("${flag?{reject_rbl_client b.example}:{permit}}")
    assert any(is_dns_list(inner) for inner in flatten(item, {}))


def test_references_in_a_circle_end() -> None:
    """Parameters that refer to each other do not hang the reader."""
    (item,) = parse("$a")
    assert list(flatten(item, {"a": "$b", "b": "$a"}))


def test_how_a_list_closes() -> None:
    """The first unconditional word decides."""
    assert closing(parse("permit_mynetworks, reject_rbl_client a.example")) is Closing.OPEN
    assert closing(parse("permit_mynetworks, permit, reject")) is Closing.PERMITS
    assert closing(parse("check_client_access cidr:/x, defer")) is Closing.REJECTS


def test_every_word_that_rejects_by_a_dns_list_counts() -> None:
    """By address, by any name, and the obsolete forms; an allow list is none."""
    value = (
        "reject_rbl_client a reject_rbl a reject_rhsbl_client a reject_rhsbl_reverse_client a "
        "reject_rhsbl_helo a reject_rhsbl_sender a reject_rhsbl_recipient a reject_maps_rbl"
    )
    assert all(is_dns_list(item) for item in parse(value))
    assert not any(is_dns_list(item) for item in parse("permit_dnswl_client a, reject"))


@given(lists(), st.integers(0, 8))
def test_taking_out_undoes_putting_in(value: str, place: int) -> None:
    """Whatever stands, wherever it is put: without it the text is the same to the letter."""
    items = parse(value)
    item = items[place] if place < len(items) else None
    changed = before(value, item, "$mailmum_allow, $mailmum_block")
    ours = {"mailmum_allow", "mailmum_block"}
    assert without(changed, lambda found: found.reference in ours) == value
    assert [w for w in words(changed) if not w.startswith("$mailmum")] == words(value)


@given(st.text(max_size=200))
def test_any_text_can_be_read(value: str) -> None:
    """No text makes the reader fail, and items are slices of it in order."""
    at = 0
    for item in parse(value):
        assert at <= item.start < item.end <= len(value)
        at = item.end


@given(lists())
def test_words_are_split_as_an_independent_reader_does(value: str) -> None:
    """The same words as a regular expression finds that knows braces but no restrictions."""
    expected = re.findall(r"(?:[^,\s{}]|\{(?:[^{}]|\{[^{}]*\})*\})+", value)
    found: list[str] = []
    for item in parse(value):
        found += re.findall(
            r"(?:[^,\s{}]|\{(?:[^{}]|\{[^{}]*\})*\})+", value[item.start : item.end]
        )
    assert found == expected
