"""Three-way merge of one interaction and its mirror, field by field. Pure.

The base is the pair of values on which both sides last agreed. A change on one side is copied to the other.
When both sides changed, last write wins for ``status``, ``scheduled_at`` and ``occurred_at``. Any other
field becomes a conflict: that field alone is frozen until a person resolves it (spec "Conflict policy").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connectors.sdk.declaration import MirroredField
from connectors.sync.values import Agreed
from domain.merge import LAST_WRITE_WINS

Side = Literal["local", "remote"]


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """Field that changed on both sides and that no rule decides."""

    name: str
    local: Any
    remote: Any


@dataclass(slots=True)
class Merge:
    """Result of a merge.

    :ivar push: local values to write to the provider.
    :ivar pull: field → pair that becomes the base once the command is applied: the new local value and the
        remote value it came from.
    :ivar agreed: fields on which both sides already agree, with their current values.
    :ivar conflicts: fields to freeze.
    :ivar unreadable: fields whose remote value is unreadable; frozen unless the local value has changed.
    """

    push: dict[str, Any] = field(default_factory=dict)
    pull: dict[str, Agreed] = field(default_factory=dict)
    agreed: dict[str, Agreed] = field(default_factory=dict)
    conflicts: list[FieldConflict] = field(default_factory=list)
    unreadable: list[FieldConflict] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSide:
    """Current state of the mirror.

    :param values: a missing field has an unreadable value.
    :param changed_at: time of the last change on the provider's clock; ``None`` if unknown.
    """

    values: Mapping[str, Any]
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSide:
    """Current state of the interaction.

    :param as_of: source timestamps of the last-write-wins fields.
    """

    values: Mapping[str, Any]
    as_of: Mapping[str, datetime]


def merge(
    fields: Sequence[MirroredField],
    base: Mapping[str, Agreed],
    local: LocalSide,
    remote: RemoteSide,
    *,
    resolutions: Mapping[str, Side] | None = None,
    refused: Mapping[str, Any] | None = None,
) -> Merge:
    """Merge both sides against the base. No change is lost, and none is copied twice.

    :param base: last agreed values. For a field without a base the local value wins.
    :param resolutions: side chosen by a person for a field in conflict.
    :param refused: remote values that the domain rules rejected; a conflict while they are unchanged.
    """
    result = Merge()
    for mirrored in fields:
        _merge_field(result, mirrored, base, local, remote, resolutions or {}, refused or {})
    return result


def _merge_field(
    result: Merge,
    mirrored: MirroredField,
    base: Mapping[str, Agreed],
    local: LocalSide,
    remote: RemoteSide,
    resolutions: Mapping[str, Side],
    refused: Mapping[str, Any],
) -> None:
    name = mirrored.name
    here, there = local.values[name], remote.values.get(name)
    known = base.get(name)
    changed_here = known is None or here != known.local
    if name not in remote.values and known is not None and mirrored.direction == "both":
        if changed_here or resolutions.get(name) == "local":
            result.push[name] = here
        else:
            result.unreadable.append(FieldConflict(name, here, None))
        return
    coarse = mirrored.coarse(here)
    if coarse == there:
        result.agreed[name] = Agreed(here, there)
        return
    changed_there = known is not None and there != known.remote
    pulled = Agreed(mirrored.refine(here, there), there)
    if mirrored.direction != "both":
        if mirrored.direction == "out" and changed_here:
            result.push[name] = here
        elif mirrored.direction == "in" and (changed_there or known is None):
            result.pull[name] = pulled
        return
    if name in resolutions:
        _take(result, name, resolutions[name], here, pulled)
    elif name in refused and refused[name] == there:
        result.conflicts.append(FieldConflict(name, here, there))
    elif not changed_there:
        if known is not None and mirrored.coarse(known.local) == coarse:
            # Nothing changed except detail that the provider cannot store.
            result.agreed[name] = Agreed(here, there)
        else:
            result.push[name] = here
    elif not changed_here and pulled.local == here:
        result.agreed[name] = pulled  # only detail that the provider cannot store has changed
    elif not changed_here:
        result.pull[name] = pulled
    else:
        side = _by_rule(name, local, remote)
        if side is None:
            result.conflicts.append(FieldConflict(name, here, there))
        else:
            _take(result, name, side, here, pulled)


def _take(result: Merge, name: str, side: Side, here: Any, pulled: Agreed) -> None:
    if side == "local":
        result.push[name] = here
    else:
        result.pull[name] = pulled


def _by_rule(name: str, local: LocalSide, remote: RemoteSide) -> Side | None:
    if name not in LAST_WRITE_WINS:
        return None
    if remote.changed_at is None:
        return "local"
    return "remote" if remote.changed_at >= local.as_of[name] else "local"
