"""Rows put aside come back in order, whatever the lots they went through."""

import tempfile
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.imports import aside
from mailmum.control.imports.aside import Aside, Row

_FIRSTS = st.none() | st.binary(min_size=16, max_size=16)
_ROWS = st.builds(
    Row,
    kind=st.sampled_from(["address", "host"]),
    target=st.sampled_from(["203.0.113.7", "203.0.113.0/24", "mail.spam.example", "päper.example"]),
    first=_FIRSTS,
    last=_FIRSTS,
    reversed_name=st.none() | st.text(max_size=5),
    scope=st.integers(0, 2),
    action=st.just("block"),
    source=st.sampled_from(["feed", "person"]),
    origin=st.text(max_size=3),
    reason=st.text(max_size=5),
    note=st.text(max_size=5),
    code=st.none() | st.integers(0, 2**32),
    expires=st.none() | st.integers(0, 2**40),
    enabled=st.booleans(),
)


@given(st.lists(_ROWS, max_size=60), st.integers(1, 7), st.integers(1, 7), st.integers(1, 9))
def test_what_was_put_aside_comes_back_in_order(
    rows: list[Row], lot: int, block: int, size: int
) -> None:
    """All of it, unchanged, in batches; rows with the same place stay in the order they came."""
    with (
        patch.object(aside, "LOT", lot),
        patch.object(aside, "BLOCK", block),
        tempfile.TemporaryFile() as file,
    ):
        kept = Aside(file)
        for row in rows:
            kept.add(row)
        batches = list(kept.batches(size))
    assert all(len(batch) == size for batch in batches[:-1])
    wanted = sorted(
        rows, key=lambda row: (row.first or b"", row.target, row.scope, row.source, row.origin)
    )
    assert [row for batch in batches for row in batch] == wanted
