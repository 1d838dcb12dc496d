"""Makes the router of a routes module."""

from __future__ import annotations

from fastapi import APIRouter

from api.authorization import GuardedRoute


def guarded_router(tag: str) -> APIRouter:
    """A router whose routes check their guards first; give each route its whole path.

    :param tag: the heading in the OpenAPI document.
    """
    return APIRouter(route_class=GuardedRoute, tags=[tag])
