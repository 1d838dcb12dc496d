"""Rates of dirt: for each column, the share of rows with each kind of bad value.

A row has at most one kind per column, so that the number of rows with a kind is the number of values that an
import or a backfill reports. The name of a kind is its name in ``expected.json``.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import Final


class Kinds:
    """Kinds of dirt in one column, each with its share of the rows."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._names = (*shares, "")
        self._bounds = list(accumulate(shares.values()))

    def draw(self, random: Random) -> str:
        """Draw the kind of one value; empty if the value is clean."""
        return self._names[bisect(self._bounds, random.random())]


#: Rows that cannot be imported.
BROKEN: Final = Kinds({"no_id": 0.002, "broken_id": 0.002, "broken_entity_id": 0.001})
#: Forms of whole rows: another encoding, a NUL character, an id in capital letters.
ROW: Final = Kinds({"cp1252": 0.005, "nul": 0.0005, "upper_case_id": 0.001})
CUSTOMER: Final = Kinds({"unknown_customer": 0.005, "deleted_customer": 0.002})

TYPE: Final = Kinds(
    {
        "type_call_email": 0.03,
        "type_unknown": 0.02,
        "type_mixed_case": 0.02,
        "type_too_long": 0.001,
        "type_without_letters": 0.0005,
    }
)
TITLE: Final = Kinds({"title_null": 0.02, "title_too_long": 0.002})
BODY: Final = Kinds({"body_null": 0.3, "body_too_long": 0.002})
COLOR: Final = Kinds({"color_null": 0.4, "color_odd_form": 0.01, "color_bad": 0.005})
ICON: Final = Kinds({"icon_null": 0.4, "icon_too_long": 0.003})
DEAL: Final = Kinds({"deal_of_other_customer": 0.005, "deal_unknown": 0.001})
OCCURRED: Final = Kinds(
    {
        "occurred_at_null": 0.25,
        "occurred_at_year_1": 0.001,
        "occurred_at_year_9999": 0.001,
        "occurred_at_infinity": 0.0005,
        "occurred_at_invalid": 0.0005,
    }
)
CREATED: Final = Kinds(
    {
        "created_at_future": 0.002,
        "created_at_null": 0.001,
        "created_at_invalid": 0.0005,
        "created_at_year_1": 0.0002,
        "updated_at_null": 0.001,
    }
)

#: Links: repetitions of a link, and links of one todo to two customers.
LINK: Final = Kinds({"repeated_link": 0.01, "shared_todo": 0.02})
#: Todos whose record is not there: in a module that is gone, deleted, or in a row that cannot be imported.
TODO: Final = Kinds({"dead_provider": 0.05, "missing_todo": 0.004, "broken_todo": 0.001})
DESCRIPTION: Final = Kinds({"description_null": 0.5, "description_too_long": 0.002})
DUE: Final = Kinds(
    {"due_at_null": 0.4, "due_at_year_1": 0.001, "due_at_year_9999": 0.002, "due_at_invalid": 0.0005}
)
DONE: Final = Kinds({"is_done": 0.45, "is_done_null": 0.002})
PRIORITY: Final = Kinds(
    {
        "priority_number": 0.2,
        "priority_word": 0.2,
        "priority_out_of_range": 0.005,
        "priority_unreadable": 0.005,
    }
)
SEVERITY: Final = Kinds({"severity_word": 0.2, "severity_number": 0.1, "severity_unreadable": 0.005})

#: Shares that are not exclusive of anything.
REPEATED_ROW: Final = 0.0005
ACTIVITY_LINKED: Final = 0.03
TODO_LINKED: Final = 0.05
