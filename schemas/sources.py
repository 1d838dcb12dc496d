"""CloudEvents ``source`` values of the records that this system produces (CloudEvents 1.0, "source")."""

from __future__ import annotations

from typing import Final

#: Events and results.
PIPELINE: Final = "/customers/interactions"
#: Commands of the HTTP gateway, which waits for their results.
GATEWAY: Final = "/customers/gateway"
#: Commands derived from changes at providers.
CONNECTORS: Final = "/customers/interactions/connectors"
