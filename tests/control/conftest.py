"""Fixtures of these tests."""

from tests.control.providers_kit import names

__all__ = ["names"]
