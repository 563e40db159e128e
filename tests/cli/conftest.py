"""Fixtures of the command line's tests."""

from collections.abc import Iterator

import pytest

from tests.cli.service import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that answers as the test tells it."""
    with serving() as running:
        yield running
