# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of integrations in use: unreadable content, and health while stopped."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_INTEGRATION = "test:tests/integration"


@mutant(
    "settings that cannot be opened are taken for those in use",
    f"{_INTEGRATION}/test_connector_settings.py"
    "::test_content_that_cannot_be_opened_is_reported_and_tried_again",
)
def unusable_content_taken_for_opened() -> None:
    from connectors.service.registry import IntegrationRegistry

    real = IntegrationRegistry._current

    def current(self: IntegrationRegistry, integration: Any, connection: Any) -> Any:
        entry = self.get(integration.id)
        return entry if entry is not None else real(self, integration, connection)

    IntegrationRegistry._current = current


@mutant(
    "an integration whose credentials are refused stays healthy",
    f"{_INTEGRATION}/test_sync_failures.py::test_an_integration_that_stopped_is_not_healthy",
)
def healthy_beside_refused_credentials() -> None:
    from connectors.sync import failure_policy

    failure_policy.set_health = lambda *_: None
