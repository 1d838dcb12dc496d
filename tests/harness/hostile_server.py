"""Raw-socket server: a script of the test answers every connection, byte by byte if needed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

#: Answers one connection; it ends when the script returns or the connection breaks.
Script = Callable[["Conversation"], None]


@dataclass
class Conversation:
    """Open connection of a client."""

    connection: socket.socket
    closing: threading.Event

    def request(self) -> bytes:
        """Read the next request and return its head, without its body; ``b""`` at the end."""
        received = b""
        while b"\r\n\r\n" not in received:
            part = self.connection.recv(65536)
            if not part:
                return b""
            received += part
        head, _, body = received.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            body += self.connection.recv(65536)
        return head

    def say(self, text: bytes) -> None:
        self.connection.sendall(text)

    def drip(self, text: bytes, pause: float = 0.02) -> None:
        """Send one byte at a time, repeatedly, until the client disconnects."""
        while True:
            for number in range(len(text)):
                if self.closing.wait(pause):
                    return
                self.say(text[number : number + 1])

    def hold(self) -> None:
        """Keep the connection open without sending anything."""
        self.closing.wait()


@dataclass
class HostileServer:
    """Listening server.

    :ivar requests: heads of the requests read by :func:`answering`.
    """

    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def hostile(script: Script) -> Iterator[HostileServer]:
    """Run a server on a free loopback port inside a block."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = HostileServer(listener.getsockname()[1])
    closing, connections = threading.Event(), list[socket.socket]()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            script(Conversation(connection, closing))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()
        acceptor.join(10)


def answering(*answers: bytes) -> Script:
    """Script that answers successive requests with successive byte strings, repeating the last one."""

    def script(conversation: Conversation) -> None:
        number = 0
        while conversation.request():
            conversation.say(answers[min(number, len(answers) - 1)])
            number += 1

    return script
