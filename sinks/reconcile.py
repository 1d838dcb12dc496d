"""Stored projections that differ from the interactions or the dictionary: the wrong and the right values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.default_types import DEFAULT_TYPES
from runtime.postgres import Connection
from sinks.integrity.projections import DERIVED, WRONG_PROJECTIONS

_OF_CUSTOMER: Final = "e.id::text, e.tenant_id::text, e.organization_id::text, e.entity_version"
_VALUES: Final = ", ".join(
    f"'{name}', jsonb_build_array(to_jsonb(e.{name}), to_jsonb({value}))" for name, value in DERIVED.items()
)
_DRIFTS_SQL: Final = f"""
SELECT {_OF_CUSTOMER}, string_to_array(w.columns, ', '), jsonb_build_object({_VALUES})
{WRONG_PROJECTIONS} ORDER BY e.id
"""


def _entry(interaction: str, own: str, default: str) -> str:
    """Joins to the type of an interaction: that of the dictionary, or the default type of this code."""
    return f"""
LEFT JOIN interaction_types {own} ON {own}.tenant_id = e.tenant_id
  AND {own}.organization_id = e.organization_id AND {own}.code = {interaction}.interaction_type
LEFT JOIN defaults {default} ON {default}.code = {interaction}.interaction_type"""


def _of_type(own: str, default: str, column: str) -> str:
    return f"CASE WHEN {own}.code IS NOT NULL THEN {own}.{column} ELSE {default}.{column} END"


def _name(interaction: str, own: str, default: str) -> str:
    """The type's label, otherwise the title, otherwise the type's code."""
    plain = f"coalesce(nullif({interaction}.title, ''), {interaction}.interaction_type)"
    return f"coalesce({_of_type(own, default, 'label')}, {plain})"


_LABELS: Final = {
    "next_interaction_name": _name("n", "t", "d"),
    "next_interaction_icon": f"coalesce(n.appearance_icon, {_of_type('t', 'd', 'icon')})",
    "next_interaction_color": f"coalesce(n.appearance_color, {_of_type('t', 'd', 'color')})",
    "last_interaction_name": _name("l", "u", "f"),
}
_WRONG_LABELS: Final = ", ".join(
    f"CASE WHEN e.{name} IS DISTINCT FROM {value} THEN '{name}' END" for name, value in _LABELS.items()
)
_LABELS_SQL: Final = f"""
WITH defaults AS MATERIALIZED (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS d (code, label, icon, color)
)
SELECT {_OF_CUSTOMER}, string_to_array(w.columns, ', ')
FROM customer_entities e
LEFT JOIN customer_interactions n ON n.id = e.next_interaction_ref_id
LEFT JOIN customer_interactions l ON l.id = e.last_interaction_ref_id
{_entry("n", "t", "d")}
{_entry("l", "u", "f")}
CROSS JOIN LATERAL (SELECT concat_ws(', ', {_WRONG_LABELS}) AS columns) w
WHERE e.id = ANY(%s::uuid[]) AND w.columns <> '' ORDER BY e.id
"""  # noqa: S608 - our own constants
_DEFAULTS: Final = [
    [getattr(entry, name) for entry in DEFAULT_TYPES.values()] for name in ("code", "label", "icon", "color")
]


@dataclass(frozen=True, slots=True)
class Drift:
    """A stored projection that is wrong.

    :param columns: names of the wrong columns.
    :param values: wrong column → the stored value and the right one: ids, instants and counts. Columns of
        texts have none.
    """

    entity_id: str
    tenant_id: str
    organization_id: str
    entity_version: int
    columns: tuple[str, ...]
    values: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def find_drifts(connection: Connection, ids: Sequence[str]) -> list[Drift]:
    """Compare next and last interaction and the counts of these customers with their interactions."""
    return [
        Drift(
            entity, tenant, organization, version, tuple(columns), {it: tuple(values[it]) for it in columns}
        )
        for entity, tenant, organization, version, columns, values in connection.execute(
            _DRIFTS_SQL, (list(ids),)
        )
    ]


def find_stale_labels(connection: Connection, ids: Sequence[str]) -> list[Drift]:
    """Compare names, icons and colours of these customers with the dictionary.

    A difference is no drift yet: after a change of the dictionary they follow command by command.
    """
    rows = connection.execute(_LABELS_SQL, (*_DEFAULTS, list(ids)))
    return [
        Drift(entity, tenant, organization, version, tuple(columns))
        for entity, tenant, organization, version, columns in rows
    ]
