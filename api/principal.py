"""Who asks: the caller as its token says, and nothing that the request says about itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from api.queries.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The holder of a valid token.

    :param subject: the user's id.
    :param features: names such as ``customers.view``; ``customers.*`` and ``*`` stand for many.
    :param expires_at: seconds since the epoch; nothing is sent to the caller after it.
    """

    tenant_id: str
    organization_id: str
    subject: str
    features: frozenset[str]
    expires_at: float = math.inf

    @property
    def scope(self) -> Scope:
        """Whose rows this caller may see (law 6)."""
        return Scope(self.tenant_id, self.organization_id)

    def has(self, feature: str) -> bool:
        """Whether a feature was granted, by its name or by a wildcard above it."""
        if feature in self.features or "*" in self.features:
            return True
        parts = feature.split(".")
        return any(".".join([*parts[:n], "*"]) in self.features for n in range(1, len(parts)))
