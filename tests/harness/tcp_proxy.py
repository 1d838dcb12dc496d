"""TCP proxy between a role and a server that can cut, delay or silence connections."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from typing import Final, Literal, Self

Mode = Literal["open", "cut", "slow", "silent"]
_CHUNK: Final = 65536
#: Broker responses that contain addresses are small; larger frames pass unchanged.
_REWRITTEN: Final = 1 << 20


class TcpProxy:
    """Forward one loopback port to another, in a thread, until closed.

    ``cut``: connections are reset, new ones too. ``slow``: every chunk is delayed by ``delay`` seconds.
    ``silent``: connections stay open and nothing passes (half-open); ``heal`` then resets them, as a peer
    that has lost its connection state does.

    :param target: port of the server on 127.0.0.1.
    :param kafka: replace the server's port with the proxy's in the broker's responses, so that clients stay
        on the proxy after bootstrap.
    """

    def __init__(self, target: int, *, kafka: bool = False) -> None:
        self.port = 0
        self.mode: Mode = "open"
        self.delay = 0.0
        self._target = target
        self._kafka = kafka
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{target}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the proxy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(10)

    def cut(self) -> None:
        """Reset every connection, and every new one until ``heal``."""
        self.mode = "cut"
        self._loop.call_soon_threadsafe(self._reset_all)

    def slow(self, seconds: float) -> None:
        """Delay every chunk by ``seconds`` until ``heal``."""
        self.delay = seconds
        self.mode = "slow"

    def silence(self) -> None:
        """Pass nothing and close nothing until ``heal``."""
        self.mode = "silent"

    def heal(self) -> None:
        """Pass everything again; silenced connections are reset first."""
        was, self.mode = self.mode, "open"
        if was == "silent":
            self._loop.call_soon_threadsafe(self._reset_all)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _end(self) -> None:
        self._loop.stop()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self.mode == "cut":
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            try:
                answers = self._frames(there, writer) if self._kafka else self._pump(there, writer)
                pumps = [asyncio.ensure_future(pump) for pump in (self._pump(reader, back), answers)]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                self._writers.discard(back)
                back.transport.abort()
        except OSError:
            pass  # the server is down: the client sees its connection reset
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _gate(self) -> None:
        if self.mode == "slow":
            await asyncio.sleep(self.delay)
        while self.mode == "silent":  # noqa: ASYNC110 - set from other threads
            await asyncio.sleep(0.05)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._gate()
                writer.write(data)
                await writer.drain()

    async def _frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward broker responses frame by frame (int32 length, then the body), with ports replaced."""
        real, ours = struct.pack(">i", self._target), struct.pack(">i", self.port)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(4)
                left = struct.unpack(">i", head)[0]
                await self._gate()
                if left <= _REWRITTEN:
                    body = await reader.readexactly(left)
                    # The host as compact and as plain string, followed by the port: lengths do not change.
                    for host in (b"\x0a127.0.0.1", b"\x00\x09127.0.0.1"):
                        body = body.replace(host + real, host + ours)
                    writer.write(head + body)
                else:
                    writer.write(head)
                    while left:
                        data = await reader.read(min(_CHUNK, left))
                        if not data:
                            return
                        left -= len(data)
                        writer.write(data)
                        await writer.drain()
                await writer.drain()
