"""The gateway with pages: the routes of the API, the pages over the same guards, and their assets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from api.app import make_app as make_api
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings
from web.protection import PageHeaders
from web.routes import MODULES
from web.sign_in.routes import router as sign_in_router
from web.sign_in.session_middleware import SessionMiddleware
from web.sign_in.sessions import SessionStore

_FOREVER: Final = b"public, max-age=31536000, immutable"


def make_app(settings: Settings, gateway: GatewaySettings) -> FastAPI:
    """Create the gateway with its pages.

    :raises Stop: as ``api.app.make_app``.
    """
    store = SessionStore(settings, gateway)

    def extend(app: FastAPI) -> None:
        app.state.sessions = store
        app.state.gateway = gateway
        for module in MODULES:
            app.router.routes.extend(module.router.routes)
        app.router.routes.extend(sign_in_router.routes)
        app.router.routes.append(Mount("/assets", _Assets(directory=str(files("web") / "assets"))))

    app = make_api(settings, gateway, extend)
    app.add_middleware(SessionMiddleware, store=store)
    app.add_middleware(PageHeaders)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await store.open()
        try:
            async with inner(app):
                yield
        finally:
            await store.close()

    app.router.lifespan_context = lifespan
    return app


class _Assets(StaticFiles):
    """Files whose address changes with their content, so that browsers may keep them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_cached(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [*message["headers"], (b"cache-control", _FOREVER)]  # type: ignore[misc]
            await send(message)

        await super().__call__(scope, receive, send_cached)  # type: ignore[arg-type]
