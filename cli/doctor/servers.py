"""Checks of the servers: reachable, durable, with the right topics and schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cli.doctor.check import Check
from runtime.kafka import unavailable_reason
from runtime.postgres import connect, server_settings
from runtime.registry import make_registry
from runtime.settings import Settings, load_settings
from schemas.errors import InteractionsError, Stop

_OLDEST_POSTGRES = 150_000
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_START = "Start the stack with `interactions up --detach`, or check the address and the server."


def server_checks() -> Iterator[Check]:
    """All checks that need servers; checks that depend on an unreachable server are skipped."""
    try:
        settings = load_settings()
    except Stop as reason:
        yield Check("servers", "warn", str(reason).splitlines()[0], "`interactions up --detach` starts them.")
        return
    postgres = _guarded("Postgres", _postgres, settings)
    yield postgres
    kafka = _kafka(settings)
    yield kafka
    yield _registry(settings)
    if kafka.state != "fail":
        yield _guarded("topics", _topics, settings)
    if postgres.state != "fail":
        yield _guarded("database schema", _schema, settings)


def _guarded(name: str, check: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return check(settings)
    except InteractionsError as error:
        return Check(name, "fail", str(error), _START)


def _postgres(settings: Settings) -> Check:
    with connect(settings, application_name="interactions-doctor") as connection:
        version = connection.info.server_version
        found = server_settings(connection, _DURABLE)
    shown = f"version {version // 10_000}.{version % 10_000}"
    if version < _OLDEST_POSTGRES:
        return Check("Postgres", "fail", shown, "Use Postgres 15 or newer.")
    weak = [f"{name}={value}" for name, value in found.items() if _DURABLE[name] != value]
    if weak:
        return Check(
            "Postgres",
            "warn",
            f"{shown}; {', '.join(sorted(weak))}",
            "A crash may lose acknowledged data; turn these settings on.",
        )
    return Check("Postgres", "ok", f"{shown}, durable")


def _kafka(settings: Settings) -> Check:
    reason = unavailable_reason(settings, timeout=5)
    if reason is not None:
        return Check("Kafka", "fail", f"{settings.kafka_bootstrap_servers}: {reason}", _START)
    return Check("Kafka", "ok", str(settings.kafka_bootstrap_servers))


def _registry(settings: Settings) -> Check:
    import httpx2
    from confluent_kafka.schema_registry import SchemaRegistryError

    try:
        subjects = make_registry(settings, **{"max.retries": 0, "timeout": 5}).get_subjects()
    except (SchemaRegistryError, httpx2.HTTPError) as error:
        return Check("schema registry", "fail", f"{settings.schema_registry_url}: {error}", _START)
    return Check("schema registry", "ok", f"{settings.schema_registry_url}, {len(subjects)} subjects")


def _topics(settings: Settings) -> Check:
    from runtime.topics import check_topics

    findings = check_topics(settings)
    if not findings:
        return Check("topics", "ok", "match the catalogue")
    fatal = any(finding.severity == "fatal" for finding in findings)
    detail = "; ".join(str(finding) for finding in findings)
    return Check(
        "topics", "fail" if fatal else "warn", detail, "`interactions topics` shows the differences."
    )


def _schema(settings: Settings) -> Check:
    from sinks.migrate import check

    differences = check(settings)
    if not differences:
        return Check("database schema", "ok", "up to date")
    return Check("database schema", "fail", "; ".join(differences), "Run `interactions db upgrade`.")
