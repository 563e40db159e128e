"""A machine with a service that a service manager starts and stops."""

from contextlib import ExitStack
from types import TracebackType

from tests.support.service import Service


class Machine:
    """Runs a service; `systemctl` starts and stops it as a reader would."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._running: ExitStack | None = None

    def __enter__(self) -> "Machine":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def systemctl(self, command: str) -> str:
        """Do what `sudo systemctl VERB mailmum.service` says; what it prints: nothing."""
        _, _, verb, unit = command.split()
        assert unit == "mailmum.service", command
        {"start": self.start, "stop": self.stop}[verb]()
        return ""

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._running is None:
            self._running = ExitStack()
            self._running.enter_context(self.service.up())

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._running is not None:
            self._running.close()
        self._running = None
