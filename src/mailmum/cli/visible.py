"""Untrusted text for a terminal; see `mailmum.domain.visible`."""

from mailmum.domain.visible import visible

__all__ = ["visible"]
