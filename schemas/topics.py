"""Topic catalogue: names and settings of all topics, defined only here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

DAY_MS: Final = 24 * 60 * 60 * 1000

COMMANDS: Final = "customers.interactions.commands"
RESULTS: Final = "customers.interactions.results"
EVENTS: Final = "customers.interactions.events"
INTERACTION_STATE: Final = "customers.interactions.state"
NEXT_INTERACTION_STATE: Final = "customers.next-interaction.state"
ENTITY_STATE: Final = "customers.entities.state"
DEAL_STATE: Final = "customers.deals.state"
TYPE_STATE: Final = "customers.interaction-types.state"
SIGNAL_STATE: Final = "customers.signals.state"
DRAFT_STATE: Final = "customers.drafts.state"
INTEGRATION_EVENTS: Final = "customers.integrations.events"
INTEGRATION_DECISIONS: Final = "customers.integrations.decisions"
INTEGRITY_EVENTS: Final = "customers.integrity.events"
DEAD_LETTERS: Final = "customers.interactions.dead-letters"
RELAY_POSITION: Final = "customers.interactions.relay-position"

#: A Kafka transaction costs the broker about 0.7 ms per partition that it touches. Only commands and events
#: need many: appliers share the commands, and consumers share the events.
PartitionsSetting = Literal["topic_partitions", "results_partitions", "state_partitions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic of the contract (AsyncAPI channel).

    :param name: name without a deployment's prefix.
    :param key: content of the record key, which determines the partition.
    :param value: short description of the value.
    :param partitions: fixed number of partitions, or the name of the deployment's setting.
    :param config: required topic settings, checked at every start.
    """

    name: str
    key: str
    value: str
    config: dict[str, str] = field(default_factory=dict)
    partitions: int | PartitionsSetting = "topic_partitions"


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}


def _state(name: str, *, key: str, value: str) -> Topic:
    return Topic(
        name=name,
        key=key,
        value=value,
        config={"cleanup.policy": "compact"},
        partitions="state_partitions",
    )


#: Compacted topics with the current state.
STATE_TOPICS: Final = (
    INTERACTION_STATE,
    NEXT_INTERACTION_STATE,
    ENTITY_STATE,
    DEAL_STATE,
    TYPE_STATE,
    SIGNAL_STATE,
    DRAFT_STATE,
)

TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        name=COMMANDS,
        key="entity id",
        value="interaction commands (CloudEvents, JSON or Avro)",
        # The rules use the broker's append time as the current time, so that the same log always folds to
        # the same rows, regardless of the publishers' clocks.
        config={**_kept(14), "message.timestamp.type": "LogAppendTime"},
    ),
    Topic(
        name=RESULTS,
        key="entity id",
        value="one result per command",
        config=_kept(14),
        partitions="results_partitions",
    ),
    Topic(
        name=EVENTS,
        key="entity id; organization id for interaction types",
        value="changes of interactions, next interactions, customers, deals, types, signals and drafts",
        config=_kept(30),
    ),
    _state(
        INTERACTION_STATE,
        key="interaction id",
        value="the current interaction; a tombstone once it is deleted",
    ),
    _state(
        NEXT_INTERACTION_STATE,
        key="entity id",
        value="the current next interaction; a tombstone when there is none",
    ),
    _state(
        ENTITY_STATE,
        key="entity id",
        value="the current customer with next and last interaction and counts; a tombstone once it is erased",
    ),
    _state(DEAL_STATE, key="deal id", value="the current deal; a tombstone once its customer is erased"),
    _state(
        TYPE_STATE,
        key="tenant id, organization id and code, separated by slashes",
        value="the current entry of the dictionary",
    ),
    _state(SIGNAL_STATE, key="signal id", value="the current signal; a tombstone once it is deleted"),
    _state(DRAFT_STATE, key="draft id", value="the current draft; a tombstone once its signal is deleted"),
    Topic(
        name=INTEGRATION_EVENTS,
        key="entity id; integration id if the event is not about a customer",
        value="mappings, warnings, state and health of integrations",
        config=_kept(30),
    ),
    Topic(
        name=INTEGRATION_DECISIONS,
        key="integration id",
        value="users' decisions on integrations and their warnings (CloudEvents, JSON)",
        config=_kept(14),
    ),
    Topic(
        name=INTEGRITY_EVENTS,
        key="entity id",
        value="violations that the watch found in stored rows",
        config=_kept(90),
        partitions=1,
    ),
    Topic(
        name=DEAD_LETTERS,
        key="the original key",
        value="the original record byte for byte, with dl_* headers",
        # Larger than the largest dead letter (streams.applier.dead_letter_records), even uncompressed.
        config={**_kept(90), "max.message.bytes": str(6 * 1024 * 1024)},
        partitions="results_partitions",
    ),
    Topic(
        name=RELAY_POSITION,
        key="relay shard",
        value="position of the relay in the journal (internal)",
        config={"cleanup.policy": "compact", "segment.ms": "600000"},
        partitions=1,
    ),
)

BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in TOPICS}
