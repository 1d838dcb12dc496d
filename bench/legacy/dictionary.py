"""The file ``customer_dictionary_entries.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.legacy.csv_file import CsvFile
from bench.legacy.population import Scope
from bench.legacy.tally import Tally

_COLUMNS: Final = ("tenant_id", "organization_id", "kind", "value", "label", "icon", "color")
_TYPES: Final = (
    ("call", "Call", "phone", "#2563EB"),
    ("meeting", "Meeting", "users", "#7C3AED"),
    ("site_visit", "Visit on site", "map-pin", "#059669"),
    ("demo", "Demo", None, None),
)
_BAD_COLOR: Final = ("trade_fair", "Trade fair", "store", "reddish")
_OTHER: Final = (("deal_statuses", "open", "Open"), ("sources", "referral", "Referral"))


def write_dictionary(folder: Path, scopes: list[Scope]) -> Tally:
    """Write the interaction types of each organization, one of them with a bad colour, and other entries."""
    tally = Tally()
    with CsvFile(folder / "customer_dictionary_entries.csv", _COLUMNS) as file:
        for scope in scopes:
            place = scope.tenant_id, scope.organization_id
            for entry in (*_TYPES, _BAD_COLOR):
                file.add((*place, "activity_types", *entry))
                tally.count("types")
            tally.count("color_bad")
            for other in _OTHER:
                file.add((*place, *other, None, None))
                tally.count("other_kinds")
        tally.add("rows", file.rows)
    return tally
