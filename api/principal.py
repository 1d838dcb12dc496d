"""The authenticated caller. All of it comes from the token, none of it from the request."""

from __future__ import annotations

import math
from dataclasses import dataclass

from api.queries.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The holder of a valid token.

    :param subject: the user's id.
    :param features: names such as ``customers.view``, or wildcards such as ``customers.*`` and ``*``.
    :param expires_at: seconds since the epoch. Nothing is sent to the caller afterwards.
    """

    tenant_id: str
    organization_id: str
    subject: str
    features: frozenset[str]
    expires_at: float = math.inf

    @property
    def scope(self) -> Scope:
        """The tenant and organization whose rows this caller may see."""
        return Scope(self.tenant_id, self.organization_id)

    def has(self, feature: str) -> bool:
        """Report whether a feature is granted, by name or by a wildcard above it."""
        if feature in self.features or "*" in self.features:
            return True
        parts = feature.split(".")
        return any(".".join([*parts[:n], "*"]) in self.features for n in range(1, len(parts)))
