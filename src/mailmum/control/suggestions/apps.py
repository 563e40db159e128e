"""Declares the app."""

from django.apps import AppConfig


class SuggestionsConfig(AppConfig):
    """The inbox of proposals."""

    name = "mailmum.control.suggestions"
