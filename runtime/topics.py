"""Topic administration: create missing topics of the catalogue, compare existing ones at every start."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from runtime.backoff import Backoff
from runtime.kafka import make_admin
from runtime.settings import ENV_PREFIX, Settings
from schemas.errors import Retry, Stop
from schemas.topics import TOPICS, Topic

_log = structlog.get_logger("topics")
_SECONDS: Final = 15.0
_LISTING: Final = Backoff(first=0.02, ceiling=0.5)
#: Settings that the invariants depend on: the clock of the rules, and the clean-up policy.
_VITAL: Final = frozenset({"message.timestamp.type", "cleanup.policy"})
#: librdkafka's client-side errors that mean "no broker answers".
_UNREACHABLE: Final = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE"})
#: Errors of a broker that pass: mostly a partition or a coordinator that is moving. An admin client does not
#: mark them as retriable.
_PASSING: Final = frozenset(
    {
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "FENCED_LEADER_EPOCH",
        "KAFKA_STORAGE_ERROR",
        "LEADER_NOT_AVAILABLE",
        "NETWORK_EXCEPTION",
        "NOT_CONTROLLER",
        "NOT_COORDINATOR",
        "NOT_LEADER_FOR_PARTITION",
        "OFFSET_NOT_AVAILABLE",
        "REQUEST_TIMED_OUT",
        "UNKNOWN_LEADER_EPOCH",
    }
)

Severity = Literal["fatal", "warning"]


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """One difference between a topic on the broker and the catalogue.

    :param topic: full name on the broker.
    :param setting: ``exists``, ``partitions``, or the name of a topic setting.
    :param wanted: value in the catalogue, as text.
    :param found: value on the broker; ``None`` when the topic is missing.
    :param severity: ``fatal`` when no process can work with the topic.
    :param advice: one sentence: what to do.
    """

    topic: str
    setting: str
    wanted: str
    found: str | None
    severity: Severity
    advice: str

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.topic} is missing. {self.advice}"
        return f"{self.topic}: {self.setting} is {self.found}, expected {self.wanted}. {self.advice}"

    def to_json(self) -> dict[str, str | None]:
        """JSON form of the finding, as shown by ``interactions topics --json``."""
        return asdict(self)


def ensure_topics(settings: Settings) -> list[str]:
    """Create the missing topics of the catalogue, and wait until the broker serves them.

    Existing topics are not changed. Several processes can call it concurrently.

    :returns: full names of the topics that this call created.
    :raises Retry: the broker is unavailable, or does not serve a new topic in time.
    :raises Stop: the broker refuses, for example for lack of permissions or too few brokers.
    """
    admin = make_admin(settings)
    existing = existing_topics(admin)
    wanted = [
        NewTopic(
            settings.topic(topic.name),
            num_partitions=_partitions(settings, topic),
            replication_factor=settings.topic_replication_factor,
            config=topic.config,
        )
        for topic in TOPICS
        if settings.topic(topic.name) not in existing
    ]
    if not wanted:
        return []
    made = []
    for name, future in admin.create_topics(wanted, operation_timeout=_SECONDS).items():
        try:
            future.result()
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise broker_error(error, f"the topic {name} cannot be created") from failure
        else:
            made.append(name)
    _wait_until_served(admin, {topic.topic for topic in wanted})
    return sorted(made)


def check_topics(settings: Settings) -> list[TopicFinding]:
    """Compare the topics on the broker with the catalogue, without changing them.

    :raises Retry: the broker is unavailable.
    :raises Stop: the broker refuses to describe its topics.
    """
    admin = make_admin(settings)
    existing = existing_topics(admin)
    findings: list[TopicFinding] = []
    present = []
    for topic in TOPICS:
        name = settings.topic(topic.name)
        if name not in existing:
            advice = "Create it with: interactions topics --create"
            findings.append(TopicFinding(name, "exists", "yes", None, "fatal", advice))
            continue
        present.append(topic)
        findings += _compare_partitions(settings, topic, existing[name])
    found = topic_configs(admin, [settings.topic(topic.name) for topic in present])
    for topic in present:
        name = settings.topic(topic.name)
        findings += _compare_config(name, topic.config, found[name])
    return findings


def require_topics(settings: Settings) -> None:
    """Check the topics at the start of a role; differences that break no invariant are logged as warnings.

    :raises Stop: a topic is missing, or has the wrong timestamp type or clean-up policy.
    :raises Retry: the broker is unavailable.
    """
    findings = check_topics(settings)
    fatal = [finding for finding in findings if finding.severity == "fatal"]
    if fatal:
        raise Stop(
            "The topics do not match the catalogue:\n" + "\n".join(f"  {finding}" for finding in fatal)
        )
    for finding in findings:
        _log.warning("topics.differ", **finding.to_json())


def topic_configs(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Topic settings on the broker: full topic name → setting → value."""
    if not names:
        return {}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures: dict[ConfigResource, Future[Any]] = admin.describe_configs(asked, request_timeout=_SECONDS)
    found = {}
    for resource, future in futures.items():
        try:
            entries = future.result()
        except KafkaException as failure:
            what = f"the settings of topic {resource.name} cannot be read"
            raise broker_error(failure.args[0], what) from failure
        found[resource.name] = {name: entry.value for name, entry in entries.items()}
    return found


def existing_topics(admin: AdminClient) -> dict[str, int]:
    """All topics of the broker: full name → number of partitions."""
    try:
        listed = admin.list_topics(timeout=_SECONDS)
    except KafkaException as failure:
        raise broker_error(failure.args[0], "the topics cannot be listed") from failure
    return {name: len(topic.partitions) for name, topic in listed.topics.items() if topic.error is None}


def _wait_until_served(admin: AdminClient, names: set[str]) -> None:
    """Wait for brokers to lead the partitions of new topics; the controller has acknowledged them before."""
    deadline = time.monotonic() + _SECONDS
    for delay in _LISTING.delays():
        missing = _unserved(admin, names)
        if not missing:
            return
        if time.monotonic() > deadline:
            raise Retry(f"The broker does not serve its new topics yet: {', '.join(sorted(missing))}.")
        time.sleep(delay)


def _unserved(admin: AdminClient, names: set[str]) -> set[str]:
    """Topics that no broker lists yet, or of which a partition has no leader yet."""
    found = existing_topics(admin)
    missing = names - found.keys()
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {
        TopicPartition(name, number): latest for name in names - missing for number in range(found[name])
    }
    for partition, future in admin.list_offsets(asked, request_timeout=_SECONDS).items() if asked else ():
        if future.exception() is not None:
            missing.add(partition.topic)
    return missing


def _partitions(settings: Settings, topic: Topic) -> int:
    wanted = topic.partitions
    return wanted if isinstance(wanted, int) else int(getattr(settings, wanted))


def _compare_partitions(settings: Settings, topic: Topic, found: int) -> list[TopicFinding]:
    wanted = _partitions(settings, topic)
    if found == wanted:
        return []
    if isinstance(topic.partitions, str) and topic.partitions not in settings.model_fields_set:
        return []  # the default is for new topics only
    # Hazard: after adding partitions, an entity's new commands can overtake its old ones elsewhere.
    advice = (
        f"Set {ENV_PREFIX}{str(topic.partitions).upper()} to the existing number: adding partitions to a"
        " topic in use breaks the order of an entity's records."
    )
    return [
        TopicFinding(settings.topic(topic.name), "partitions", str(wanted), str(found), "warning", advice)
    ]


def _compare_config(name: str, wanted: dict[str, str], found: dict[str, str]) -> list[TopicFinding]:
    findings = []
    for setting, value in wanted.items():
        actual = found.get(setting)
        if actual == value:
            continue
        severity: Severity = "fatal" if setting in _VITAL else "warning"
        advice = (
            f"Set it with: kafka-configs --alter --entity-type topics --entity-name {name}"
            f" --add-config {setting}={value}"
        )
        findings.append(TopicFinding(name, setting, value, str(actual), severity, advice))
    return findings


def broker_error(error: KafkaError, what: str) -> Retry | Stop:
    """Convert an error of a broker or of librdkafka to ``Retry`` or ``Stop``.

    :param what: the failed operation, as the start of a sentence.
    """
    text = f"{what}: {error.str()}"
    if error.name() in _PASSING:
        return Retry(f"{text}. This passes when the brokers have agreed")
    unreachable = error.retriable() or error.name() in _UNREACHABLE
    return Retry(f"{text}. Is the broker up?") if unreachable else Stop(text)
