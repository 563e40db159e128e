"""Zone keys and public references."""

import pytest

from mailmum.domain.keys import ALPHABET, KEY_LENGTH, REF_LENGTH, is_key, new_key, new_ref


def test_new_keys_are_keys_and_differ() -> None:
    """A letter first (RFC 5782 section 2.3), then letters and digits without look-alikes."""
    keys = {new_key() for _ in range(2000)}
    assert len(keys) == 2000
    assert all(is_key(key) and len(key) == KEY_LENGTH for key in keys)
    assert all(key[0].isalpha() and set(key) <= set(ALPHABET) for key in keys)
    assert not set("ilou") & set().union(*keys)


def test_every_character_of_the_alphabet_comes_up() -> None:
    """In every place but the first."""
    keys = [new_key() for _ in range(2000)]
    for place in range(1, KEY_LENGTH):
        assert {key[place] for key in keys} == set(ALPHABET)


def test_references_are_no_keys() -> None:
    """They are told apart by length, so that neither passes for the other."""
    refs = {new_ref() for _ in range(2000)}
    assert len(refs) == 2000
    assert all(len(ref) == REF_LENGTH and not is_key(ref) for ref in refs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k7f3q9x2m4t8", True),
        ("k" * 63, True),
        ("k" * 64, False),
        ("k7f3q9x2m4t", False),
        ("77f3q9x2m4t8", False),
        ("K7f3q9x2m4t8", False),
        ("k7f3q9x2m4t8\n", False),
        ("k7f3-9x2m4t8", False),
        ("", False),
    ],
)
def test_the_form_of_a_key(text: str, expected: bool) -> None:
    """Twelve or more lower-case letters and digits, a letter first, fit for one label."""
    assert is_key(text) is expected
