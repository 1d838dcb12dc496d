"""The three-way merge of one interaction and its mirror, field by field. Pure.

Against what both sides held when they last agreed, a field changed here, there, on both sides or on
none. One side's change travels. Both sides' changes of ``status``, ``scheduled_at`` and ``occurred_at``
are settled by the later source timestamp; of any other field they are a conflict, which holds that field
still until a person decides, and no other (spec "Conflict policy").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from connectors.sdk.declaration import MirroredField
from connectors.sync.values import Agreed

#: The fields under last-write-wins.
GUARDED: Final = frozenset({"status", "scheduled_at", "occurred_at"})
Side = Literal["local", "remote"]


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """Both sides changed a field and no rule decides."""

    name: str
    local: Any
    remote: Any


@dataclass(slots=True)
class Merge:
    """What a merge comes to.

    :ivar push: local values that the provider must get.
    :ivar pull: field → what to agree on once the command is carried out: the new local value, and the
        remote one it came from.
    :ivar agreed: fields on which both sides agree already, as they are now.
    :ivar conflicts: fields to hold still.
    :ivar unreadable: fields whose remote values cannot be read; held still unless the local value is new.
    """

    push: dict[str, Any] = field(default_factory=dict)
    pull: dict[str, Agreed] = field(default_factory=dict)
    agreed: dict[str, Agreed] = field(default_factory=dict)
    conflicts: list[FieldConflict] = field(default_factory=list)
    unreadable: list[FieldConflict] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSide:
    """The mirror as it is.

    :param values: a field that is missing holds a value that cannot be read.
    :param changed_at: when it was last changed, by the provider's clock; ``None`` when unknown.
    """

    values: Mapping[str, Any]
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSide:
    """The interaction as it is.

    :param as_of: source timestamps of the guarded fields.
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
    """What must travel where; nothing is lost and nothing travels twice.

    :param base: what was agreed; a field without an entry was never agreed on, and the local value holds.
    :param resolutions: what a person chose for fields in conflict.
    :param refused: remote values that the rules refused: they stay a conflict while they stay the same.
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
            # Only what the provider cannot hold has changed, or nothing at all.
            result.agreed[name] = Agreed(here, there)
        else:
            result.push[name] = here
    elif not changed_here and pulled.local == here:
        result.agreed[name] = pulled  # only what the provider cannot hold has changed
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
    if name not in GUARDED:
        return None
    if remote.changed_at is None:
        return "local"
    return "remote" if remote.changed_at >= local.as_of[name] else "local"
