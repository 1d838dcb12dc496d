"""The embedded stack as its user runs it: through the command line, in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.kafka import make_admin, make_consumer, make_producer
from runtime.postgres import connect
from runtime.process_identity import is_alive
from runtime.registry import make_registry
from runtime.running_stack import ProcessRecord, read_running_stack, read_stack_file
from runtime.settings import ENV_PREFIX, load_settings
from stack.down import stop_stack
from tests.harness.roles import wait_until

pytestmark = pytest.mark.timeout(300)
SERVERS = ["postgres", "kafka", "schema-registry"]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new home, with nothing of the environment leading elsewhere; stopped at the end, whatever happened."""
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="interactions-stack-") as folder:
        monkeypatch.setenv("INTERACTIONS_HOME", folder)
        try:
            yield Path(folder)
        finally:
            stop_stack(Path(folder))


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def up(roles: str = "none") -> None:
    started = cli("up", "--detach", "--roles", roles)
    assert started.returncode == 0, started.stderr


def records(home: Path) -> dict[str, ProcessRecord]:
    state = read_stack_file(home)
    assert state is not None
    return {record.name: record for record in state.processes}


def status() -> dict[str, dict[str, Any]]:
    shown = cli("status", "--json")
    return {process["name"]: process for process in json.loads(shown.stdout)["processes"]}


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that mention the home or work inside it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            inside = str((entry / "cwd").readlink()).startswith(str(home))
        except OSError:
            continue
        if line and (inside or str(home) in line):
            found.append(line)
    return found


def shared_memory_segments() -> set[str]:
    rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {row.split()[1] for row in rows}


def own_segment(home: Path) -> str:
    return (home / "data" / "postgres" / "postmaster.pid").read_text().splitlines()[6].split()[-1]


def kill_everything(home: Path) -> None:
    """SIGKILL to the supervisor and all its processes, the supervisor first, so that it restarts nothing."""
    state = read_stack_file(home)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    for record in state.processes:
        if record.pid is not None:
            try:
                os.kill(record.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    wait_until(lambda: not processes_of(home), 20, lambda: str(processes_of(home)))


def test_up_env_status_and_down(home: Path) -> None:
    nothing = cli("status", "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)) == (2, {"processes": []})

    up()

    assert [(name, process["state"]) for name, process in status().items()] == [
        (name, "running") for name in SERVERS
    ]
    assert set(status()["kafka"]) >= {"role", "pid", "state", "lag"}
    exports = dict(line.removeprefix("export ").split("=", 1) for line in cli("env").stdout.splitlines())
    assert set(exports) == {
        "INTERACTIONS_HOME",
        "INTERACTIONS_DATABASE_URL",
        "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS",
        "INTERACTIONS_SCHEMA_REGISTRY_URL",
    }
    assert all("127.0.0.1:" in value for name, value in exports.items() if name != "INTERACTIONS_HOME")
    segment = own_segment(home)
    assert segment in shared_memory_segments()

    stopped = cli("down")

    assert stopped.returncode == 0
    assert "data stay" in stopped.stdout
    assert processes_of(home) == []
    assert segment not in shared_memory_segments()
    assert not list(home.rglob("*.sock")) + list(home.rglob(".s.PGSQL.*"))
    assert cli("down").stdout.startswith("Nothing runs")


def test_a_second_stack_on_the_same_home_is_refused(home: Path) -> None:
    up()
    before = records(home)

    second = cli("up", "--detach", "--roles", "none")

    assert second.returncode == 2
    assert "already runs" in second.stderr
    assert "interactions down" in second.stderr
    assert "Traceback" not in second.stderr
    assert records(home) == before


def test_data_survive_kill_9_of_everything_at_the_same_addresses(home: Path) -> None:
    up()
    settings = load_settings()
    with connect(settings, application_name="test") as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    producer = make_producer(settings)
    admin = make_admin(settings)
    from confluent_kafka.admin import NewTopic

    admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])["kept"].result()
    producer.produce("kept", b"42")
    assert producer.flush(30) == 0
    from confluent_kafka.schema_registry import Schema

    schema = Schema('{"type": "record", "name": "Kept", "fields": []}', "AVRO")
    schema_id = make_registry(settings).register_schema("kept-value", schema)
    segment = own_segment(home)

    kill_everything(home)
    assert read_running_stack(home) is None
    up()

    again = load_settings()
    assert again.model_dump() == settings.model_dump()
    with connect(again, application_name="test") as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(42,)]
    consumer = make_consumer(again, "test")
    consumer.subscribe(["kept"])
    try:
        messages = consumer.consume(1, 60)
        assert [message.value() for message in messages] == [b"42"]
    finally:
        consumer.close()
    assert make_registry(again).lookup_schema("kept-value", schema).schema_id == schema_id
    assert segment not in shared_memory_segments() or segment == own_segment(home)


def test_down_cleans_up_after_kill_9_of_everything(home: Path) -> None:
    up()
    segment = own_segment(home)
    kill_everything(home)

    assert cli("down").returncode == 0

    assert segment not in shared_memory_segments()
    assert not (home / "data" / "postgres" / "postmaster.pid").exists()


def test_children_end_with_a_killed_supervisor(home: Path) -> None:
    up()
    state = read_stack_file(home)
    assert state is not None

    os.kill(state.pid, signal.SIGKILL)

    wait_until(lambda: processes_of(home) == [], 30, lambda: str(processes_of(home)))


@pytest.mark.parametrize("role", SERVERS)
def test_a_killed_server_is_started_again(home: Path, role: str) -> None:
    up()
    before = records(home)[role]
    assert before.pid is not None
    assert before.mark is not None

    os.kill(before.pid, signal.SIGKILL)

    def recovered() -> bool:
        now = records(home)[role]
        return now.state == "running" and now.pid != before.pid and now.restarts == 1

    wait_until(recovered, 60, lambda: str(records(home)))
    assert not is_alive(before.pid, before.mark)
    others = [name for name in SERVERS if name != role]
    assert all(records(home)[name].restarts == 0 for name in others)


def test_roles_run_and_a_killed_one_is_started_again(home: Path) -> None:
    up("applier=2,relay,timers")
    shown = status()
    assert list(shown) == [*SERVERS, "applier", "applier-2", "relay", "timers"]
    assert {process["state"] for process in shown.values()} == {"running"}
    assert [process["role"] for process in shown.values()].count("applier") == 2

    os.kill(shown["relay"]["pid"], signal.SIGKILL)

    wait_until(
        lambda: (records(home)["relay"].state, records(home)["relay"].restarts) == ("running", 1),
        60,
        lambda: str(records(home)),
    )
    assert cli("down").returncode == 0
    assert processes_of(home) == []


def test_the_reason_is_told_when_the_stack_does_not_come_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_POSTGRES_SHARED_BUFFERS_MB", "99999999")

    failed = cli("up", "--detach", "--roles", "none")

    assert failed.returncode == 2
    assert "postgres keeps ending" in failed.stderr
    assert "shared_buffers" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert processes_of(home) == []


def test_a_server_of_ones_own_is_used_and_not_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("INTERACTIONS_SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")

    up()

    assert list(status()) == ["postgres"]
    assert load_settings().kafka_bootstrap_servers == "127.0.0.1:9"


def test_an_ephemeral_home_is_deleted_at_the_end(home: Path) -> None:
    started = cli("up", "--detach", "--ephemeral", "--roles", "none")
    assert started.returncode == 0, started.stderr
    line = started.stdout.strip()
    assert line.startswith("export INTERACTIONS_HOME=")
    ephemeral = Path(line.partition("=")[2])
    try:
        assert read_running_stack(ephemeral) is not None
    finally:
        stop_stack(ephemeral)
    assert not ephemeral.exists()
