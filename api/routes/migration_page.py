"""``/docs/migration``: the public page that the deprecated routes link to."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(tags=["activities (deprecated)"])
PATH: Final = "/docs/migration"


@router.get(PATH, response_class=HTMLResponse)
async def migration_page() -> HTMLResponse:
    """Migration guide for clients of activities and todos."""
    return HTMLResponse(_page())


@cache
def _page() -> str:
    text = files("api.adapters").joinpath("migration.md").read_text(encoding="utf-8")
    title = escape(text.partition("\n")[0].lstrip("# "))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f'<body><pre style="white-space: pre-wrap">{escape(text)}</pre></body></html>\n'
    )
