"""Accounts (the tenants), people, their roles, tokens and one-time links."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models

from mailmum.control.traffic.queries import token_last_used
from mailmum.domain.pauses import HOLD
from mailmum.domain.texts import REASON_LIMIT
from mailmum.traffic.terms import Terms

_TERMS = Terms()


class Role(models.TextChoices):
    """What a person may do in an account, the most first."""

    OWNER = "owner"
    ADMIN = "admin"
    VIEWER = "viewer"


class UserManager(BaseUserManager["User"]):
    """Makes people; signing in is by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """A new person, without a password unless one is given."""
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """People type their address in any case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by an e-mail address."""

    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.email


class Account(models.Model):
    """A tenant: people with roles, servers, listings, and parameters that hold for them all."""

    name = models.CharField(max_length=80, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    people = models.ManyToManyField(User, through="Membership", related_name="accounts")
    ttl = models.PositiveIntegerField(default=60)
    code = models.BigIntegerField(null=True, blank=True)
    text = models.CharField(
        max_length=REASON_LIMIT, blank=True, help_text="said where a block gives no reason; public"
    )
    key_keep = models.PositiveIntegerField(default=7 * 86400)
    contact = models.CharField(max_length=200, blank=True)
    takes_requests = models.BooleanField(
        default=True, help_text="whether rejected senders may ask for removal"
    )
    recent_days = models.PositiveIntegerField(default=_TERMS.recent_days)
    minute_days = models.PositiveIntegerField(default=_TERMS.minute_days)
    hour_days = models.PositiveIntegerField(default=_TERMS.hour_days)
    day_days = models.PositiveIntegerField(default=_TERMS.day_days)
    privacy = models.CharField(max_length=16, default=_TERMS.privacy)
    expires = models.BigIntegerField(null=True, blank=True)
    suspended = models.BooleanField(default=False)
    blocks_from = models.BigIntegerField(
        null=True,
        default=HOLD,
        help_text="nothing is blocked before this Unix time, null: before it is resumed",
    )

    def __str__(self) -> str:
        return self.name

    def is_active(self, now: float) -> bool:
        """Whether its listings hold at all at `now` (Unix time)."""
        return not self.suspended and (self.expires is None or now < self.expires)

    @property
    def terms(self) -> Terms:
        """How long its traffic is kept, and what of mail addresses."""
        return Terms(
            recent_days=self.recent_days,
            minute_days=self.minute_days,
            hour_days=self.hour_days,
            day_days=self.day_days,
            privacy=self.privacy,
        )


class Membership(models.Model):
    """A person's role in an account."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One role for each person in an account."""

        constraints = (
            models.UniqueConstraint(fields=["account", "person"], name="one_role_a_person"),
        )

    def __str__(self) -> str:
        return f"{self.person} is {self.role} of {self.account}"


class Token(models.Model):
    """A credential for the API: names an account and a person, and what it may do.

    Only the hash is kept.  A token has 160 random bits, so a plain digest is enough: there is no
    dictionary to try.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tokens")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    writes = models.BooleanField(default=False)
    # No foreign key: servers are told of in the app above.
    ships = models.BigIntegerField(
        null=True, blank=True, help_text="hands in logs of the server with this number, only that"
    )
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True)
    # Else a token that leaked would live on in those that it made.
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )

    def __str__(self) -> str:
        return self.name

    @property
    def last_used(self) -> datetime | None:
        """When it was used last, to about a minute."""
        return token_last_used(self.pk)

    @property
    def scopes(self) -> list[str]:
        """What it may do: read, or read and write, or only hand in the logs of one server."""
        if self.ships is not None:
            return ["ship"]
        return ["read", "write"] if self.writes else ["read"]


class SignInLink(models.Model):
    """A link that signs a person in once; only its hash is kept."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link for {self.person}"
