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
# A program of Postfix in trouble of its own.
_LEVELS = ("error: ", "fatal: ", "panic: ")
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
    "queue file size limit exceeded",
    "connect to ",
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
    "TLS SNI ",
    "TLS fingerprint ",
    "TLS library problem",
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
    "table hash:",
    "table lmdb:",
    "table btree:",
    "table cdb:",
    "table texthash:",
    "table regexp:",
    "table pcre:",
    "table cidr:",
    "dict_",
    "close database ",
    "cache btree:",
    "cache lmdb:",
    "cache proxy:",
    "entering STRESS mode ",
    "exiting STRESS mode ",
    "client reset",
    "XCLIENT ",
    "connection established",
    "master exit time has come",
    "idle timeout -- exiting",
    "xsasl_",
    "name_mask: ",
    "smtpd_",
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
    "logging to ",
    "watchdog_",
    "generate_",
    "write TLS ",
    "input attribute ",
    "private/",
    "open smtp TLS cache ",
    "open smtpd TLS cache ",
    "fingerprint ",
    "lookup smtp session ",
    "lookup smtpd session ",
    "maps_find",
    "match_",
    "auto_clnt",
    "send attr",
    ">>> ",
    "<<< ",
)
# What Postfix's programs warn of that is no contact's doing, or that its session ends with, too.
_WARNINGS = (
    "/",  # /etc/postfix/main.cf, line 12: overriding earlier entry
    "TLS library problem",
    "access table ",
    "anvil_clnt",
    "an SSL ",
    "bad command startup",
    "cannot ",
    "connect ",
    "database ",
    "dict_",
    "disabling connection caching",
    "dnsblog_query: ",
    "do not list domain ",
    "duplicate entry ",
    "execvp ",
    "file system clock is ",
    "going to ",
    "group or other writable",
    "hash:",
    "host ",
    "hostname ",
    "inet_protocols",
    "ldap:",
    "lmdb:",
    "logger ",
    "mail_queue_",
    "mail for ",
    "mailer loop",
    "maildrop",
    "malformed domain name in resource data",
    "master ",
    "master_",
    "milter ",
    "mysql ",
    "mysql:",
    "network_biopair_interop: ",
    "no MX host for ",
    "no server certs available",
    "not owned by ",
    "numeric domain name in resource data",
    "numeric hostname",
    "pcre map ",
    "pgsql ",
    "pgsql:",
    "permit_",
    "pipe_command",
    "postdrop: ",
    "please ",
    "postscreen ",
    "postscreen_",
    "premature end-of-input ",
    "private/",
    "problem talking to ",
    "process ",
    "proxy:",
    "psc_",
    "public/",
    "read ",
    "regexp map ",
    "reject_",
    "relay ",
    "resetting file time stamps ",
    "restriction ",
    "run-time library ",
    "seed_",
    "service ",
    "skipping ",
    "smtp_",
    "smtpd_",
    "ssl_",
    "support for ",
    "symlink leaves directory",
    "table ",
    "TLS ",
    "tls_",
    "timeout ",
    "tlsmgr",
    "to ",
    "too many ",
    "trivial-rewrite",
    "unable to ",
    "unexpected ",
    "unix-domain ",
    "unix_",
    "unknown smtpd restriction",
    "unreasonable ",
    "using backwards-compatible ",
    "valid_hostname: ",
    "valid_ipv4_hostaddr: ",
    "valid_ipv6_hostaddr: ",
    "virtual_",
    "xsasl_",
)
_WARNED_INSIDE = (
    ": SASL ",  # smtpd follows those that fail
    "RBL lookup error: ",
    "verification failed: ",
    "does not resolve to address ",
    "limit exceeded: ",
    "TLS ",
    "milter ",
)
_WARNED_OF_CLIENTS = (
    "non-SMTP command from ",
    "Illegal address syntax from ",
    "SASL ",
    "SASL: ",
    "lost connection after ",
    "timeout after ",
    "improper command pipelining after ",
    "dropping ",
    "header ",
    "body ",
)
_VERBOSE = re.compile(r"[<>] [^ \[]{1,255}\[[^\]]{1,64}\](?::\d{1,5})?: ", re.ASCII)
# Of these a line may be a session's or a message's, or their own; of all others it is the former.
SPECIAL = FILTERS | {"postscreen", "dnsblog"}
_programs: dict[str, str | None] = {}
_PROGRAMS = 1024
# A certificate's fingerprint, which smtpd prints with its subject.
_NUMBERED = re.compile(r"[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}:", re.ASCII)


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
    return (
        text.startswith(_LEVELS)
        or text.startswith(_QUIET)
        or _NUMBERED.match(text) is not None
        or _VERBOSE.match(text) is not None
    )


def is_known_warning(text: str) -> bool:
    """Whether a warning of Postfix, without that word, is one that is known.

    >>> is_known_warning("hostname mail.example does not resolve to address 192.0.2.1")
    True
    """
    return text.startswith(_WARNED_OF_CLIENTS + _WARNINGS) or any(
        words in text[:500] for words in _WARNED_INSIDE
    )


def is_quiet_about_message(text: str) -> bool:
    """The same, of what follows a queue id."""
    if text.startswith("warning: "):
        return is_known_warning(text[9:])
    return text.startswith(_ABOUT_MESSAGES) or text.startswith(_LEVELS)
