"""Declares the app."""

from django.apps import AppConfig


class SuggestionsConfig(AppConfig):
    """The inbox of proposals; what was dismissed can be undone."""

    name = "mailmum.control.suggestions"

    def ready(self) -> None:
        """Join in when changes are undone."""
        from mailmum.control.listings.undoing import join
        from mailmum.control.suggestions.inbox import undo_dismissal

        join({"suggestion.dismiss": undo_dismissal}, {})
