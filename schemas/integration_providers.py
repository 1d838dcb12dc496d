"""Place of the stored provider declarations, which the connectors write and the gateway reads."""

from __future__ import annotations

from typing import Final

#: Checkpoint that holds the declarations of all installed providers.
PROVIDERS_JOB: Final = "connectors.providers"
#: Tenant and organization of a row that belongs to the deployment.
NO_SCOPE: Final = "00000000-0000-0000-0000-000000000000"
