"""Does the policy service answer: asked for what it never finds, so that nothing is counted."""

import socket

from mailmum.cli.doctor_findings import Finding, fail, ok, warn

_TIMEOUT = 3.0
# A lookup of `socketmap`: no client has the name of the root, whatever the key (here: none).
_QUESTION, _ANSWER = b"3:- .,", b"9:NOTFOUND ,"


def answers(label: str, host: str, port: int, *, needed: bool) -> Finding:
    """Ask it.

    Args:
        label: where it listens, as it is told.
        host: the address to ask.
        port: the port.
        needed: whether the Postfix of this machine asks there.
    """
    name = f"policy {label}"
    trouble = _trouble(host, port)
    if not trouble:
        return ok(name, "the policy service answers")
    # Where it is not needed its part may be left out on purpose.
    return (fail if needed else warn)(
        name,
        f"{trouble}; Postfix goes on as if nobody was listed" if needed else trouble,
        "see that the policy part runs (its log says why not) and no firewall drops the port",
    )


def _trouble(host: str, port: int) -> str:
    """What is wrong; empty when nothing is."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT) as connection:
            connection.sendall(_QUESTION)
            while len(answer) < len(_ANSWER) and (more := connection.recv(len(_ANSWER))):
                answer += more
    except TimeoutError:
        return "no answer in time"
    except OSError as error:
        return error.strerror or str(error)
    return "" if answer == _ANSWER else "another program may answer there"
