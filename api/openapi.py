"""Print the OpenAPI document, or write it to ``docs/openapi.json`` (``python -m api.openapi --write``)."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from api.app import make_app
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings

COMMITTED: Final = Path(__file__).parents[1] / "docs" / "openapi.json"


@cache
def current_document() -> dict[str, Any]:
    """The document of this code, built once and not to be changed; it depends on no setting."""
    return make_app(Settings(), GatewaySettings()).openapi()


def render(document: dict[str, Any]) -> str:
    """The document as text, as it is committed."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    text = render(current_document())
    if "--write" in sys.argv[1:]:
        COMMITTED.write_text(text)
    else:
        sys.stdout.write(text)
