"""Scenarios: short runs of the pipeline, each designed to expose a class of bugs to the auditor."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka import TopicPartition

from runtime.kafka import make_consumer
from runtime.readiness import READY_FILE_VARIABLE, has_announced
from runtime.settings import Settings
from schemas.topics import COMMANDS
from streams.lag import lag_by_role
from tests.faults.mutants import catalogue
from tests.harness.audit import run_audit
from tests.harness.histories import history
from tests.harness.roles import Role, environment, wait_until
from tests.harness.wire import ORGANIZATION, Raw, event, new_id, publish, results_by_place

#: Audit check → its first violation.
Found = dict[str, str]
Message = dict[str, Any] | Raw
_OTHER_TENANT: Final = "99999999-9999-4999-8999-999999999999"
#: Time limit for a mutated pipeline to publish all results; many never do.
_TIMEOUT: Final = 25.0
_STATES_SECONDS: Final = 10


@contextlib.contextmanager
def mutated(settings: Settings, mutant: str, role: str, **extra: str) -> Iterator[Role]:
    """Run a role with one mutant for the duration of a block, which starts when it is ready or has exited."""
    with (
        tempfile.NamedTemporaryFile(prefix=f"{mutant}-{role}-", suffix=".log") as log,
        tempfile.TemporaryDirectory(prefix=f"{mutant}-{role}-") as folder,
    ):
        ready = Path(folder) / "ready"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mutants.run", mutant, "--", "run", role],
            env=environment(settings, **{READY_FILE_VARIABLE: str(ready), **extra}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        child = Role(process, Path(log.name))
        try:
            # A mutant may never become ready: the auditor must report that too.
            with contextlib.suppress(AssertionError):
                wait_until(lambda: has_announced(ready, process.pid) or process.poll() is not None, _TIMEOUT)
            yield child
        finally:
            if process.poll() is None:
                child.kill()


def rule_cases() -> list[Message]:
    """One case per rule that a mutant of the rules violates."""
    one, two = new_id(), new_id()
    call, task, other = new_id(), new_id(), new_id()
    past, early, late = "2026-02-01T09:00:00Z", "2027-03-01T09:00:00Z", "2027-04-01T09:00:00Z"

    def on(entity: str, kind: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
        return event(f"interaction.{kind}", entity, data, **more)

    repeated = on(one, "update", {"id": call, "title": "Repeated"})
    first = on(one, "update", {"id": task, "title": "First"})
    deletion = on(two, "delete", {"id": other})
    due = {"id": call, "scheduleVersion": 1, "phase": "due"}
    messages: list[Message] = [
        event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Somebody"})
        for entity in (one, two)
    ]
    messages += [
        on(one, "create", {"id": call, "interactionType": "call", "scheduledAt": past, "priority": 1}),
        on(one, "create", {"id": task, "interactionType": "call", "scheduledAt": past, "priority": 2}),
        on(two, "create", {"id": other, "interactionType": "call", "scheduledAt": late}),
        on(one, "mark_due", due),
        on(one, "mark_due", due),  # a second command with the same effect: announced once
        on(one, "complete", {"id": call}, tenant=_OTHER_TENANT),
        on(one, "update", {"id": call, "scheduledAt": early, "sourceTimestamp": "2026-01-01T00:00:00Z"}),
        repeated,
        on(one, "update", {"id": call, "title": "Repeated"}),  # changes nothing
        repeated,
        {**repeated, "data": {"id": call, "title": "Same id, other content"}},
        first,
        on(one, "update", {"id": task, "title": "Second"}),
        on(one, "undo", {"commandId": first["id"]}),  # unsafe: something changed since
        deletion,
        on(two, "undo", {"commandId": deletion["id"]}),
        on(two, "create", {"interactionType": "call", "validateOnly": True}),
        on(one, "complete", {"id": task, "next": {"interactionType": "call", "scheduledAt": late}}),
        Raw(b"no id", b"no command", (("note", b"kept"),)),
        Raw(None, None),
    ]
    return messages


def _messages() -> list[Message]:
    return [*rule_cases(), *history(31, 350, entities=12)]


def _deletion(messages: Sequence[Message]) -> Message:
    """Delete an interaction of the rule cases that still exists."""
    created = next(it for it in messages if isinstance(it, dict) and it["type"].endswith(".create"))
    return event("interaction.delete", created["entityid"], {"id": created["data"]["id"]})


def _relabel() -> Message:
    label = f"Ring {new_id()[:8]}"
    return event("interaction_type.upsert", ORGANIZATION, {"interactionType": "call", "label": label})


def _answered(settings: Settings, places: Sequence[tuple[int, int]]) -> bool:
    found = results_by_place(settings)
    return all(place in found for place in places)


def _await_answers(settings: Settings, places: Sequence[tuple[int, int]]) -> None:
    # A mutant may never publish a result: the auditor must report that too.
    with contextlib.suppress(AssertionError):
        wait_until(lambda: _answered(settings, places), _TIMEOUT)


def _verdict(settings: Settings) -> Found:
    code, report = run_audit(settings, wait=20)
    found = {
        check["name"]: check["violations"][0]["what"] for check in report["checks"] if check["violations"]
    }
    if code != 0 and not found:
        found["not at rest"] = str(report["lagBy"])
    return found


def _plain(settings: Settings, mutant: str) -> Found:
    messages = _messages()
    with mutated(settings, mutant, "applier"), mutated(settings, mutant, "relay"):
        _await_answers(settings, publish(settings, messages))
        with contextlib.suppress(AssertionError):
            # States show the last change only: what is deleted next must have been shown before.
            wait_until(lambda: lag_by_role(settings)["relay"] == 0, _STATES_SECONDS)
        # Repeat in a later batch, so that in-batch state cannot hide a lost look-up. The relabel must follow
        # all other changes of a customer; in the same batch it might come first.
        _await_answers(settings, publish(settings, [*messages[:20], _deletion(messages), _relabel()]))
        return _verdict(settings)


def _killed_applier(point: str) -> Callable[[Settings, str], Found]:
    def run(settings: Settings, mutant: str) -> Found:
        places = publish(settings, _messages())
        with mutated(
            settings, mutant, "applier", INTERACTIONS_TEST_BUILD="1", INTERACTIONS_CRASH_POINT=point
        ) as victim:
            victim.wait_for_exit()
        with mutated(settings, mutant, "applier"), mutated(settings, mutant, "relay"):
            _await_answers(settings, places)
            return _verdict(settings)

    return run


def _restarted_applier(settings: Settings, mutant: str) -> Found:
    places = publish(settings, _messages())
    with mutated(settings, mutant, "applier") as first:
        _await_answers(settings, places)
        first.kill()
    with mutated(settings, mutant, "applier") as second, mutated(settings, mutant, "relay"):
        second.wait_for_log("applier.assigned")
        _await_answers(settings, publish(settings, history(32, 60, entities=6)))
        return _verdict(settings)


def _relay(settings: Settings, mutant: str, **extra: str) -> Found:
    with mutated(settings, mutant, "applier"):
        _await_answers(settings, publish(settings, _messages()))
        with mutated(settings, mutant, "relay", **extra) as victim:
            if extra:
                victim.wait_for_exit()
            else:
                victim.wait_for_log("relay.leading")
                _verdict(settings)  # idle, or timed out
                victim.kill()
        with mutated(settings, mutant, "relay"):
            return _verdict(settings)


def _killed_relay(settings: Settings, mutant: str) -> Found:
    # Behind the first checkpoints of the states and of the stored rows: with the first events.
    point = "relay-after-send-before-commit:3"
    return _relay(settings, mutant, INTERACTIONS_TEST_BUILD="1", INTERACTIONS_CRASH_POINT=point)


def _offsets_ahead(settings: Settings, mutant: str) -> Found:
    """As after restoring an older database: the group's offsets are ahead of the tables."""
    messages = _messages()
    ends: dict[int, int] = {}
    for partition, offset in publish(settings, messages[:200]):
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    consumer = make_consumer(settings, settings.consumer_group)
    try:
        topic = settings.topic(COMMANDS)
        offsets = [TopicPartition(topic, partition, end) for partition, end in ends.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
    finally:
        consumer.close()
    with mutated(settings, mutant, "applier"), mutated(settings, mutant, "relay"):
        _await_answers(settings, publish(settings, messages[200:]))
        return _verdict(settings)


SCENARIOS: Final[dict[str, Callable[[Settings, str], Found]]] = {
    catalogue.PLAIN: _plain,
    catalogue.APPLIER_KILLED: _killed_applier("before-commit:3"),
    catalogue.RESULTS_KILLED: _killed_applier("after-commit-before-results:2"),
    catalogue.APPLIER_RESTARTED: _restarted_applier,
    catalogue.RELAY_KILLED: _killed_relay,
    catalogue.RELAY_RESTARTED: _relay,
    catalogue.OFFSETS_AHEAD: _offsets_ahead,
}


def expose(settings: Settings, mutant: str, exposed_by: str) -> Found:
    """Run a mutant in its scenario or test; returns what caught it, empty if nothing did.

    :param settings: a fresh deployment; tests create their own.
    """
    if not exposed_by.startswith("test:"):
        return SCENARIOS[exposed_by](settings.model_copy(update={"batch_size": 40}), mutant)
    node = exposed_by.removeprefix("test:")
    runner = [sys.executable, "-m", "tests.faults.mutants.run", mutant, "--"]
    done = subprocess.run(
        [*runner, "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=all", node],
        env={**environment(settings), "INTERACTIONS_FENCE_DATABASE": _url(settings)},
        capture_output=True,
        timeout=180,
        check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return {}
    assert done.returncode == 1, done.stdout.decode()[-3000:] + done.stderr.decode()[-2000:]
    return {node.rpartition("::")[2]: "the test fails"}


def _url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()
