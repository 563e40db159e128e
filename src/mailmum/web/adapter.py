"""How allauth behaves here: nobody signs up on their own, and its messages are few."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest
from django.urls import reverse

from mailmum.web.callers import caller_of


class SecondFactor(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Says what to do about a code that is not right."""

    error_messages = {  # noqa: RUF012 (allauth's own)
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "That is not the app's code now. Type the one that it shows; when it is "
        "refused again, set the telephone's clock.",
    }


class ClosedSignUp(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """People are let in by owners."""

    error_messages = {  # noqa: RUF012 (allauth's own)
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This e-mail address and this password do not go together.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Whose tries to sign in are counted together: behind a proxy not all the world's."""
        return caller_of(request) or str(super().get_client_ip(request))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Where one goes with a new password: on with what one came for."""
        return reverse("home")
