"""Connections of the read pool have a deadline that does not depend on the server."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from api.read_pool import ReadPool
from runtime.settings import Settings
from schemas.errors import Retry
from tests.harness.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


def test_an_unresponsive_server_times_out_and_the_pool_reconnects(embedded_stack: Settings) -> None:
    assert embedded_stack.database_url is not None
    url = urlsplit(embedded_stack.database_url.get_secret_value())
    assert url.port is not None

    async def one(pool: ReadPool, seconds: float) -> None:
        async with pool.connection(seconds) as connection:
            await connection.execute("SELECT 1")

    async def story(proxy: TcpProxy, settings: Settings) -> None:
        pool = ReadPool(settings, size=1, seconds=30)
        await pool.open()
        try:
            await one(pool, 30)
            proxy.silence()
            # Far below the timeouts of the operating system and the server.
            async with asyncio.timeout(20):
                with pytest.raises(Retry, match="does not respond"):
                    await one(pool, 0.2)
                with pytest.raises(Retry, match="is unreachable"):
                    await one(pool, 0.2)
            proxy.heal()
            async with asyncio.timeout(60):
                while True:
                    try:
                        return await one(pool, 30)
                    except Retry:
                        continue
        finally:
            proxy.heal()
            await pool.close()

    with TcpProxy(url.port) as proxy:
        through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{proxy.port}")).geturl()
        asyncio.run(story(proxy, embedded_stack.model_copy(update={"database_url": SecretStr(through)})))
