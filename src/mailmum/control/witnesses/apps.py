"""Declares the app."""

from django.apps import AppConfig


class WitnessesConfig(AppConfig):
    """Public lists, what they said, and how they fare."""

    name = "mailmum.control.witnesses"
