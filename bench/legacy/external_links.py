"""The file ``sync_external_id_mappings.csv``: objects at other systems behind activities and todos."""

from __future__ import annotations

from typing import Final

from bench.legacy.csv_file import CsvFile
from bench.legacy.population import Scope

COLUMNS: Final = (
    "tenant_id", "organization_id", "integration_id", "internal_entity_type", "internal_entity_id",
    "external_id", "external_url",
)  # fmt: skip


class ExternalLinks:
    """Adds links to the file while the files of their rows are written."""

    def __init__(self, file: CsvFile) -> None:
        self._file = file

    def add(self, scope: Scope, legacy_id: str, entity_type: str = "customers:customer_activity") -> None:
        """Add the link of one activity or todo."""
        external = f"card-{legacy_id[:13]}"
        self._file.add(
            (
                scope.tenant_id,
                scope.organization_id,
                "sync_trello",
                entity_type,
                legacy_id,
                external,
                f"https://board.example.test/{external}",
            )
        )
