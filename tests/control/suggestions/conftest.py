"""Fixtures of these tests."""

from tests.control.monitor.kit import traffic

__all__ = ["traffic"]
