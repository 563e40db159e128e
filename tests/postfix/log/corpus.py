"""A made log with every kind of line, to hold two ways of reading against one another."""

import random

_TAIL = "from=<{s}> to=<{r}> proto=ESMTP helo=<{h}>"
_SENT = "relay=mx1[private/lmtp], delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 ok)"
_ENDS = (
    _SENT,
    "relay=x.example[192.0.2.9]:25, delay=1, delays=1/0/0/0, dsn=4.2.0, status=deferred (later)",
    "relay=x.example[192.0.2.9]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (no)",
    (
        "relay=x.example[192.0.2.9]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent "
        "(250 2.0.0 Ok: queued as 4C1bQ92zjTz9sV)"
    ),
)
_REPLIES = (
    "554 5.7.1 Service unavailable; Client host [{a}] blocked using rbl.example; see {a}",
    "550 5.1.1 <{r}>: Recipient address rejected: User unknown in local recipient table",
    "554 5.7.1 <{r}>: Relay access denied",
    "450 4.7.25 Client host rejected: cannot find your hostname, [{a}]",
    "450 4.2.0 <{r}>: Recipient address rejected: Greylisted",
    "504 5.5.2 <{h}>: Helo command rejected: need fully-qualified hostname",
)


def log(seed: int, sessions: int = 40, hosts: int = 2, stamp: str = "bsd") -> bytes:
    """Sessions of some hosts, whose lines come among one another."""
    random_ = random.Random(seed)
    stories = [_story(random_, f"mx{1 + random_.randrange(hosts)}") for _ in range(sessions)]
    out = []
    open_ = [iter(story) for story in stories[:6]]
    waiting = stories[6:]
    second = 0
    while open_:
        story = random_.choice(open_)
        line = next(story, None)
        if line is None:
            open_.remove(story)
            if waiting:
                open_.append(iter(waiting.pop()))
            continue
        second += random_.random() < 0.3
        # What Rspamd writes itself has a header of its own.
        out.append(f"{line}\n" if line[:2] == "20" else f"{_stamp(second, stamp)} {line}\n")
    return "".join(out).encode()


def _stamp(second: int, kind: str) -> str:
    minute, rest = divmod(second, 60)
    if kind == "bsd":
        return f"Nov 25 08:{minute:02}:{rest:02}"
    return f"2026-11-25T08:{minute:02}:{rest:02}.{second * 7919 % 10**6:06}+00:00"


def _story(random_: random.Random, host: str) -> list[str]:
    address = f"203.0.113.{random_.randrange(1, 20)}"
    name = random_.choice(["unknown", f"mail{random_.randrange(9)}.example"])
    who = f"{name}[{address}]"
    smtpd = (
        f"{host} postfix/{random_.choice(['smtpd', 'submission/smtpd'])}[{random_.randrange(8)}]"
    )
    words = {
        "s": random_.choice(["", "a@b.example", '"x y"@b.example']),
        "r": f"u{random_.randrange(5)}@here.example",
        "h": random_.choice(["mail.example", "h h", "ü.example"]),
        "a": address,
    }
    tail = _TAIL.format(**words)
    kind = random_.randrange(9)
    body = _bodies(random_, kind, host, smtpd, who, words, tail)
    return [f"{smtpd}: connect from {who}", *body]


def _bodies(
    random_: random.Random,
    kind: int,
    host: str,
    smtpd: str,
    who: str,
    words: dict[str, str],
    tail: str,
) -> list[str]:
    end = f"{smtpd}: disconnect from {who} ehlo=1 quit=1 commands=2"
    if kind < 3:
        reply = random_.choice(_REPLIES).format(**words)
        verb = random_.choice(["reject", "reject", "reject_warning"])
        times = random_.randrange(1, 3)
        line = f"{smtpd}: NOQUEUE: {verb}: RCPT from {who}: {reply}; {tail}"
        extra = random_.choice([[], [f"{host} last message repeated 2 times"]])
        return [line] * times + extra + [end]
    if kind == 3:
        text = random_.choice(
            [
                f"lost connection after AUTH from {who}",
                f"warning: {who}: SASL LOGIN authentication failed: VXNlcg",
                f"too many errors after RCPT from {who}",
                "something that nobody knows",
            ]
        )
        return [f"{smtpd}: {text}", *([end] if random_.random() < 0.8 else [])]
    if kind == 4:
        address = words["a"]
        port = f"[{address}]:{random_.randrange(40000, 40003)}"
        screen = f"{host} postfix/postscreen[77]"
        return [
            f"{screen}: CONNECT from {port} to [192.0.2.1]:25",
            f"{host} postfix/dnsblog[78]: addr {address} listed by domain rbl.example as 127.0.0.2",
            f"{screen}: {random_.choice(['PREGREET 9 after 0 from', 'DNSBL rank 3 for'])} {port}",
            *random_.choice(
                [
                    [],
                    [
                        (
                            f"{screen}: NOQUEUE: reject: RCPT from {port}: 550 5.7.1 Service "
                            f"unavailable; client [{words['a']}] blocked using rbl.example; {tail}"
                        )
                    ],
                ]
            ),
            f"{screen}: {random_.choice(['PASS NEW', 'DISCONNECT'])} {port}",
        ]
    return _message(random_, host, smtpd, who, words, end)


def _message(
    random_: random.Random,
    host: str,
    smtpd: str,
    who: str,
    words: dict[str, str],
    end: str,
) -> list[str]:
    queue_id = random_.choice(["4C1bQ92zjTz9s", "8F1D0"]) + random_.choice("0123456789BCDF")
    lines = [
        f"{smtpd}: {queue_id}: client={who}{random_.choice(['', ', sasl_username=u'])}",
        f"{host} postfix/cleanup[5]: {queue_id}: message-id=<{queue_id}@b.example>",
        f"{host} postfix/qmgr[6]: {queue_id}: from=<{words['s']}>, size=9, nrcpt=1 (queue active)",
    ]
    if random_.random() < 0.2:
        lines = lines[: random_.randrange(1, 4)]
    if random_.random() < 0.3:
        lines.append(
            f"{host} rspamd[8]: <5a>; proxy; rspamd_task_write_log: id: <x>, qid: <{queue_id}>, "
            "(default: F (no action): [1.50/15.00] [X(1.50)]), len: 9"
        )
    if random_.random() < 0.2:
        # Before, among or behind the lines of its message.
        told = (
            "2026-11-25 08:01:00 #8(normal) <5a>; task; rspamd_task_write_log: id: <x>, "
            f"qid: <{queue_id}>, (default: T (reject): [16.50/15.00] [X(1.50)]), len: 9"
        )
        lines.insert(random_.randrange(len(lines) + 1), told)
    if random_.random() < 0.2:
        lines.append(
            f"{host} spamd[9]: spamd: result: . 1 - X scantime=1,mid=<{queue_id}@b.example>,bayes=0"
        )
    if random_.random() < 0.1:
        refused = random_.choice(["5.7.1 Spam message rejected", "4.7.1 Try again later"])
        at = random_.randrange(len(lines) - 1, len(lines) + 1)
        lines.insert(
            at,
            f"{host} postfix/cleanup[5]: {queue_id}: milter-reject: END-OF-MESSAGE from {who}: "
            f"{refused}; from=<{words['s']}> to=<{words['r']}> proto=ESMTP helo=<h>",
        )
    lines.append(end)
    for _ in range(random_.randrange(1, 3)):
        original = random_.choice(["", f"orig_to=<all{random_.randrange(2)}@here.example>, "])
        fate = random_.choice(_ENDS)
        lines.append(f"{host} postfix/lmtp[7]: {queue_id}: to=<{words['r']}>, {original}{fate}")
    if random_.random() < 0.9:
        lines.append(f"{host} postfix/qmgr[6]: {queue_id}: removed")
    if random_.random() < 0.3:
        lines.append(f"{host} dovecot: lda(u): saved mail: {queue_id}: fine")
    return lines
