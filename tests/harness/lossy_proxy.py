"""TCP proxy that cuts connections at random: before a request arrives, or before its response does."""

from __future__ import annotations

import asyncio
import contextlib
import random

from tests.harness.tcp_proxy import TcpProxy


class LossyProxy(TcpProxy):
    """Cut a connection at each chunk with a probability, while it is ``lossy``.

    A chunk that is cut is lost, or its first half is delivered.

    :param loss: probability per chunk.
    """

    def __init__(self, target: int, *, seed: int, loss: float) -> None:
        super().__init__(target)
        self.lossy = False
        self.cuts = 0
        self._random = random.Random(seed)
        self._loss = loss

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.lossy and self._random.random() < self._loss:
                    self.cuts += 1
                    if self._random.random() < 0.3:
                        writer.write(data[: len(data) // 2])
                        await writer.drain()
                    return
                writer.write(data)
                await writer.drain()
