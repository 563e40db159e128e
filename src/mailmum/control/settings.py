"""Django's settings, all derived from `mailmum.control.config`.

SQLite runs in WAL mode with immediate transactions: a writer takes its lock when it begins, waits
for its turn instead of failing half-way, and readers are never blocked.  Traffic lives in a second
file, so that counting never waits for a rule being written.  Files are opened with `mode=rw`:
only `prepare` creates them, and a daemon that outlives its database must not make an empty one.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mailmum.control import config as _config

CONFIG = _config.current()
SECRET_KEY = _config.secret(CONFIG)
DEBUG = False
ALLOWED_HOSTS = ["*"]  # any name may reach it; links are made from public_url, never from Host
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "mailmum.web.urls"
ASGI_APPLICATION = "mailmum.web.asgi.application"
SILENCED_SYSTEM_CHECKS: list[str] = []

INSTALLED_APPS = [
    "mailmum.control.journal",
    "mailmum.control.accounts",
    "mailmum.control.servers",
    "mailmum.control.listings",
    "mailmum.control.feeds",
    "mailmum.control.requests",
    "mailmum.control.traffic",
    "mailmum.control.triggers",
    "mailmum.control.witnesses",
    "mailmum.control.suggestions",
    "mailmum.control.alerts",
    "mailmum.web",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "ninja",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mailmum.web.static_files.AsTheyAre",
    "mailmum.web.middleware.compressed",
    "mailmum.web.middleware.content_security_policy",
    "mailmum.web.middleware.reader_zone",
    "mailmum.api.errors.in_one_form",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["mailmum.web.templatetags.links"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mailmum.web.context.shell",
            ],
        },
    }
]


def _sqlite(path: Path, *, synchronous: str, cache: int) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"file:{quote(str(path))}?mode=rw",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};"
                f"PRAGMA cache_size=-{cache};"
            ),
        },
        "TEST": {"NAME": str(path)},
    }


# Many short questions, answered by keys: to compile a statement or to start more processes for it
# takes longer than the answer, and what is asked for lies in memory or on a disk without a head.
_PLANS = "-c jit=off -c max_parallel_workers_per_gather=0 -c random_page_cost=1.1"


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    query = dict(item.partition("=")[::2] for item in parts.query.split("&") if item)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.pop("host", parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "options": _PLANS,
            **{k: unquote(v) for k, v in query.items()},
        },
    }


if CONFIG.database:
    DATABASES = {"default": _postgresql(CONFIG.database)}
else:
    DATABASES = {
        "default": _sqlite(CONFIG.sqlite_path, synchronous="FULL", cache=2000),
        "traffic": _sqlite(CONFIG.traffic_path, synchronous="NORMAL", cache=32_000),
    }
DATABASE_ROUTERS = ["mailmum.control.traffic.router.TrafficRouter"]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
ACCOUNT_ADAPTER = "mailmum.web.adapter.ClosedSignUp"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True  # two weeks, without a box to tick at each sign-in
MFA_ADAPTER = "mailmum.web.adapter.SecondFactor"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "MailMum"
MFA_TOTP_TOLERANCE = 1  # periods of 30 s either way: clocks of telephones are not exact
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = (
    CONFIG.base_url.startswith("https://")
    if CONFIG.secure_cookies is None
    else CONFIG.secure_cookies
)
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "mailmum.web.views.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [CONFIG.base_url]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 12_000

STATIC_URL = "/static/"
STATIC_ROOT = CONFIG.data / "static"
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = False
LOGGING_CONFIG = None  # mailmum.control.logs sets logging up for every process alike
