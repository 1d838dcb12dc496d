"""The CloudEvents ``source`` of what this system sends itself (CloudEvents 1.0, "source")."""

from __future__ import annotations

from typing import Final

#: Events and results.
PIPELINE: Final = "/customers/interactions"
#: Commands of the HTTP gateway, which waits for their outcomes.
GATEWAY: Final = "/customers/gateway"
#: Commands made of what providers tell.
CONNECTORS: Final = "/customers/interactions/connectors"
