"""The platform's resolver in one daemon thread, so that no look-up holds up a driver."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from sipcore.commands import Record, Resolve
from sipcore_sync.sockets import look_up

__all__ = ["ResolverThread"]

Answer = Callable[[Resolve, "Sequence[Record] | OSError"], None]


class ResolverThread:
    """Answers `Resolve` commands in the order they come; the thread starts with the first one.

    `answer(command, records or error)` is called in that thread. A look-up that the platform does not end cannot be
    stopped; the thread is a daemon, so it does not keep the process alive, and its answer after `close()` is dropped.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._questions: queue.SimpleQueue[Resolve | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, question: Resolve) -> None:
        """Answer this later."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sipcore-resolver", daemon=True)
            self._thread.start()
        self._questions.put(question)

    def close(self) -> None:
        """Answer nothing more. Does not wait for a look-up that is under way."""
        self._closed = True
        self._questions.put(None)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None and not self._closed:
            answer: Sequence[Record] | OSError
            try:
                answer = look_up(question.name, question.kind)
            except OSError as error:
                answer = error
            if not self._closed:
                self._answer(question, answer)
