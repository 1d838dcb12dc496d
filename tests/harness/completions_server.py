"""Chat-completions server on a loopback port: a script of the test answers each request."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

MODEL: Final = "fake-model-2026-11-01"
SUBJECT: Final = "A short follow-up"
BODY: Final = "Hello, I am getting back to you about our last conversation. When may I call you?"


@dataclass(frozen=True, slots=True)
class Received:
    """Request of a client; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    fields: dict[str, Any]

    @property
    def prompt(self) -> str:
        """All messages as one text."""
        return "\n".join(message["content"] for message in self.fields["messages"])

    @property
    def marker(self) -> str:
        """Marker of the prompt's fence."""
        found = re.search(r"<<<(\S+)\n", self.prompt)
        assert found is not None, "the prompt has no fence"
        return found[1]

    @property
    def wants_subject(self) -> bool:
        """True if the schema of the answer has a subject."""
        schema = self.fields["response_format"]["json_schema"]["schema"]
        return "subject" in schema["properties"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One request and the connection to answer it on."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a complete response."""
        fields = {"content-length": str(len(body)), "connection": "close", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.say(f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + body)

    async def left(self, seconds: float | None = None) -> bool:
        """Wait until the client disconnects, at most ``seconds``; true if it has."""
        try:
            async with asyncio.timeout(seconds):
                return not await self.reader.read(1)
        except TimeoutError:
            return False


#: Answers one request.
Reply = Callable[[Conversation], Awaitable[None]]


def respond(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> Reply:
    """Complete response of any status, in JSON unless the headers say otherwise."""

    async def reply(talk: Conversation) -> None:
        await talk.respond(status, {"content-type": "application/json", **(headers or {})}, body)

    return reply


def completion(content: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Reply:
    """Completion with this content, whatever the request."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return respond(200, body=orjson.dumps({"model": MODEL, "choices": [choice]}))


def draft(
    body: str | Callable[[Received], str] = BODY, subject: str | Callable[[Received], str] = SUBJECT
) -> Reply:
    """Completion with a draft of the requested schema; a text can depend on the request."""

    async def reply(talk: Conversation) -> None:
        def text(of: str | Callable[[Received], str]) -> str:
            return of if isinstance(of, str) else of(talk.request)

        fields = {"body": text(body)}
        if talk.request.wants_subject:
            fields["subject"] = text(subject)
        await completion(orjson.dumps(fields).decode())(talk)

    return reply


async def stall(talk: Conversation) -> None:
    """Send nothing until the client disconnects."""
    await talk.left()


async def drip(talk: Conversation) -> None:
    """Send a long body, one byte at a time, until the client disconnects."""
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while not await talk.left(0.01):
        await talk.say(b" ")


async def drip_headers(talk: Conversation) -> None:
    """Send headers without end, until the client disconnects."""
    await talk.say(b"HTTP/1.1 200 OK\r\n")
    while not await talk.left(0.01):
        await talk.say(b"X-More: 1\r\n")


async def cut_off(talk: Conversation) -> None:
    """Disconnect in the middle of a body."""
    await talk.say(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + b'{"choi'
    )


async def hang_up(talk: Conversation) -> None:
    """Disconnect without a response."""


class CompletionsServer:
    """The server, in a thread, for the duration of a block.

    :ivar script: replies to the next requests, in order.
    :ivar default: reply to further requests.
    :ivar received: all requests so far.
    """

    def __init__(self) -> None:
        self.port = 0
        self.script: list[Reply] = []
        self.default: Reply = draft()
        self.received: list[Received] = []
        self._arrivals: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._problems: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="completions", daemon=True)

    def __enter__(self) -> CompletionsServer:
        self._thread.start()
        assert self._started.wait(10), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the server's thread did not end within 10 s"
        assert not self._problems, self._problems

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next_request(self, seconds: float = 10) -> Received:
        """Wait for the next request that this method has not returned yet."""
        return self._arrivals.get(timeout=seconds)

    @contextlib.contextmanager
    def answering(self, *replies: Reply) -> Iterator[None]:
        """Reply to every request of a block with these replies in turn, the last of them repeatedly."""
        before = self.script, self.default
        self.script, self.default = list(replies[:-1]), replies[-1]
        try:
            yield
        finally:
            self.script, self.default = before

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), asyncio.CancelledError):  # a reply to a client that left
            self._problems.append(context)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            request = await _read(reader)
            self.received.append(request)
            self._arrivals.put(request)
            reply = self.script.pop(0) if self.script else self.default
            await reply(Conversation(request, reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has disconnected
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    body = await reader.readexactly(int(headers["content-length"]))
    return Received(head[0].split(" ")[1], headers, orjson.loads(body))
