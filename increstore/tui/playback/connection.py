"""A viewer's end of the connection to a broadcast, looked at by whoever has time; it never waits.

Rules of this file:
- Nothing here blocks: what cannot be sent or received now is for the next look.
- A connection that is lost, or silent for long, is made again, after a moment that grows.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from typing import TYPE_CHECKING, Any

from increstore.runtime.stream_words import FrameReader, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECEIVE_BYTES = 256 << 10
BACKOFF_S_FIRST, BACKOFF_S_MAX = 0.1, 2.0
CONNECT_S_MAX = 5.0
SILENCE_S_MAX = 5.0
"""A server says something twice a second."""


class Connection:
    """To one address; `is_up` once the other side has been reached."""

    def __init__(self, host: str, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_up = False
        self.why = ""
        """Why there is none, as of the last try."""
        self.tries = 0
        self._address = (host, port)
        self._clock = clock
        self._socket: socket.socket | None = None
        self._reader = FrameReader()
        self._to_send = b""
        self._next_try = clock()
        self._backoff = BACKOFF_S_FIRST
        self._heard_at = clock()

    @property
    def where(self) -> str:
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def look(self) -> bool:
        """Go on with whatever is under way; True when it is up now and was not before."""
        if self._socket is None:
            if self._clock() >= self._next_try:
                self._dial()
            return False
        if not self.is_up:
            return self._has_been_reached()
        self._flush()
        if self._clock() - self._heard_at > SILENCE_S_MAX and not self._has_mail():
            self.lose(
                f"nothing heard for {SILENCE_S_MAX:.0f} s: stopped, or no `increstore .. --serve`"
            )
        return False

    def say(self, **said: Any) -> None:
        self._to_send += frame(**said)
        self._flush()

    def frames(self) -> Iterator[dict[str, Any]]:
        """What has arrived; ends when there is no more for now. Raises: RemoteProtocolError."""
        while True:
            yield from self._reader.frames()
            if not self._receive():
                return

    def wait(self, seconds: float) -> None:
        """Until there is something to receive, but no longer than this."""
        if self._socket is not None:
            select.select([self._socket], [], [], max(0.0, seconds))

    def settle(self) -> None:
        """It is the right side: the next loss is a new one."""
        self._backoff, self.why = BACKOFF_S_FIRST, ""
        self.tries = 0

    def lose(self, why: str) -> None:
        """Hang up, and try again after a moment."""
        self.close()
        self.why = why
        self.tries += 1
        self._next_try = self._clock() + self._backoff
        self._backoff = min(2 * self._backoff, BACKOFF_S_MAX)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self.is_up = None, False
        self._reader, self._to_send = FrameReader(), b""

    # --- The socket.

    def _has_mail(self) -> bool:
        """Whether we have been silent ourselves: suspended, or too busy to read."""
        return self._socket is not None and bool(select.select([self._socket], [], [], 0)[0])

    def _dial(self) -> None:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                *self._address, type=socket.SOCK_STREAM
            )[0]
            one = socket.socket(family, kind, protocol)
        except OSError as error:
            self.lose(_why(error))
            return
        one.setblocking(False)
        self._socket, self._heard_at = one, self._clock()
        error_number = one.connect_ex(address)
        if error_number not in (0, errno.EINPROGRESS):
            self.lose(os.strerror(error_number))

    def _has_been_reached(self) -> bool:
        assert self._socket is not None
        _, writable, _ = select.select([], [self._socket], [], 0)
        if not writable:
            if self._clock() - self._heard_at > CONNECT_S_MAX:
                self.lose("no answer")
            return False
        error_number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error_number:
            self.lose(os.strerror(error_number))
            return False
        self.is_up, self._heard_at = True, self._clock()
        return True

    def _flush(self) -> None:
        if self._socket is None or not self._to_send:
            return
        try:
            sent = self._socket.send(self._to_send)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(_why(error))
            return
        self._to_send = self._to_send[sent:]

    def _receive(self) -> bool:
        """Whether anything came."""
        if self._socket is None or not self.is_up:
            return False
        try:
            received = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self.lose(_why(error))
            return False
        if not received:
            self.lose("the other side has hung up")
            return False
        self._heard_at = self._clock()
        self._reader.feed(received)
        return True


def _why(error: OSError) -> str:
    return error.strerror or str(error)
