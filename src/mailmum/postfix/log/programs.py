"""Programs that write to a mail log, and what they say that tells nothing of a contact.

Postfix's programs have a slash in their tag, after a syslog name that anybody may choose
(`postfix/smtpd`, `postfix-in/smtpd`, `postfix/submission/smtpd`, `mta/smtpd`).  What follows the
last slash is the program; policy services that Postfix starts are somebody else's all the same.
"""

import re

from mailmum.postfix.log.scores import FILTERS

DAEMONS = frozenset(
    [
        "anvil",
        "bounce",
        "cleanup",
        "defer",
        "discard",
        "dnsblog",
        "error",
        "flush",
        "lmtp",
        "local",
        "master",
        "oqmgr",
        "pickup",
        "pipe",
        "post-install",
        "postalias",
        "postcat",
        "postdrop",
        "postfix-script",
        "postfix-tlsproxy",
        "postlock",
        "postlog",
        "postlogd",
        "postmap",
        "postmulti",
        "postqueue",
        "postscreen",
        "postsuper",
        "proxymap",
        "proxywrite",
        "qmgr",
        "qmqpd",
        "relay",
        "retry",
        "scache",
        "sendmail",
        "set-permissions",
        "showq",
        "smtp",
        "smtpd",
        "smtps",
        "spawn",
        "tlsmgr",
        "tlsproxy",
        "trace",
        "trivial-rewrite",
        "verify",
        "virtual",
    ]
)
_FOREIGN = frozenset(
    [
        "policy",
        "policy-spf",
        "policyd",
        "policyd-spf",
        "policyd-spf-perl",
        "policyd-weight",
        "postfwd",
        "postfwd2",
        "postfwd3",
        "postgrey",
        "postsrsd",
        "spf-policy",
        "spfcheck",
        "sqlgrey",
    ]
)
_CONTROL = frozenset({"postfix", "postfix-script", "postfix-tlsproxy"})
_LEVELS = ("warning: ", "error: ", "fatal: ", "panic: ", "info: ", "debug: ")
_ABOUT_MESSAGES = (
    "host ",
    "uid=",
    "lost connection with ",
    "conversation with ",
    "enabling PIX ",
    "sender ",
    "postmaster ",
    "replace: ",
    "prepend: ",
    "strip: ",
    "bcc: ",
    "skipped, ",
    "breaking ",
    "requeued",
    "placed on hold",
    "released from hold",
    "expired",
    "marked as expired",
    "Server certificate",
    "SASL ",
    "TLS ",
    "Cannot start TLS",
    "resent-message-id=",
    "ignore: ",
    "save: ",
    "file: ",
    "no signature",
    "not removed",
    "virtual alias ",
    "unreasonable ",
    "DSN ",
    "orig_id",
    "passing ",
    "queue ",
    "connect to ",
    "to ",
)
_QUIET = (
    "statistics: ",
    "connect to ",
    "Anonymous TLS ",
    "Untrusted TLS ",
    "Trusted TLS ",
    "Verified TLS ",
    "SSL_accept error from ",
    "SSL_connect error to ",
    "setting up TLS connection ",
    "certificate verification ",
    "Peer certificate",
    "Server certificate ",
    "Client certificate",
    "Issuing session ticket",
    "looking up session ",
    "save session ",
    "fingerprint=",
    "subject_CN=",
    "initializing the ",
    "TLS ",
    "terminating on signal ",
    "daemon started ",
    "daemon session ",
    "reload ",
    "reload configuration ",
    "refreshing the Postfix ",
    "starting the Postfix ",
    "stopping the Postfix ",
    "stopping Postfix",
    "the Postfix mail system ",
    "Postfix is running ",
    "rebuilding ",
    "rotating ",
    "table ",
    "dict_",
    "close database ",
    "cache ",
    "entering STRESS mode ",
    "exiting STRESS mode ",
    "addr ",
    "client reset",
    "XCLIENT ",
    "connection established",
    "master exit time has come",
    "idle timeout -- exiting",
    "xsasl_",
    "name_mask: ",
    "smtpd_",
    "fatal",
    "Postfix ",
    "Deleted: ",
    "Requeued: ",
    "Placed on hold: ",
    "Released from hold: ",
    "Expired: ",
    "Renamed ",
    "mynetworks",
    "using backwards-compatible ",
    "enabling PIX ",
    "connection closed",
    "scache",
    "sender_cache",
    "process ",
    "logging to ",
    "watchdog",
    "shutdown",
    "generate_",
    "write TLS ",
    "input attribute ",
    "private/",
    "open ",
    "fingerprint ",
    "lookup ",
    "maps_find",
    "match_",
    "auto_clnt",
    "send attr",
    ">>> ",
    "<<< ",
    "> ",
    "< ",
)
# Of these a line may be a session's or a message's, or their own; of all others it is the former.
SPECIAL = FILTERS | {"postscreen", "dnsblog"}
_programs: dict[str, str | None] = {}
_PROGRAMS = 1024
_NUMBERED = re.compile(r"[0-9A-Fa-f]{2}:|[0-9]{1,9} ", re.ASCII)


def program(tag: str) -> str | None:
    """The program of a tag, if it writes about mail; None for others.

    >>> program("postfix-in/submission/smtpd[12]"), program("spamd[7]"), program("dovecot")
    ('smtpd', 'spamd', None)
    """
    path = tag.partition("[")[0]
    if path not in _programs:
        if len(_programs) >= _PROGRAMS:
            _programs.clear()
        _programs[path] = _program(path)
    return _programs[path]


def _program(path: str) -> str | None:
    instance, found, rest = path.partition("/")
    if not found:
        return path if path in _CONTROL or path in FILTERS else None
    name = rest.rpartition("/")[2]
    if name in _FOREIGN:
        return None
    if name in DAEMONS or instance.startswith("postfix"):
        return name
    return name if name in FILTERS else None


def is_quiet(text: str) -> bool:
    """Whether a line of Postfix is known to tell nothing of a contact."""
    return text.startswith(_LEVELS) or text.startswith(_QUIET) or _NUMBERED.match(text) is not None


def is_quiet_about_message(text: str) -> bool:
    """The same, of what follows a queue id."""
    return text.startswith(_ABOUT_MESSAGES) or text.startswith(_LEVELS)
