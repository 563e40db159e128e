"""Fixtures of these tests."""

from tests.control.triggers.kit import scene

__all__ = ["scene"]
