"""The embedded stack as users run it: through the command line, in its own home."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]
from confluent_kafka.schema_registry import Schema

from runtime.kafka import make_admin, make_consumer, make_producer
from runtime.postgres import connect
from runtime.process_identity import is_alive
from runtime.registry import make_registry
from runtime.running_stack import ProcessRecord, read_running_stack, read_stack_file, write_stack_file
from runtime.settings import ENV_PREFIX, Settings, load_settings
from stack.down import stop_stack
from tests.harness.roles import wait_until

pytestmark = pytest.mark.timeout(300)
SERVERS = ["postgres", "kafka", "schema-registry"]


@pytest.fixture(scope="module")
def clean_environment() -> Iterator[None]:
    """Remove environment variables that point to other servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(ENV_PREFIX):
                patch.delenv(name)
        yield


@contextlib.contextmanager
def new_home() -> Iterator[Path]:
    """A new home whose stack is always stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="interactions-stack-") as folder:
        try:
            yield Path(folder)
        finally:
            stop_stack(Path(folder))


@pytest.fixture(scope="module")
def servers_home(clean_environment: None) -> Iterator[Path]:
    """One home for the whole module; see ``full_home``."""
    with new_home() as home:
        yield home


@pytest.fixture
def full_home(servers_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which all three servers run; earlier tests of this module may have used it."""
    monkeypatch.setenv("INTERACTIONS_HOME", str(servers_home))
    if read_running_stack(servers_home) is None:
        up()
    return servers_home


@pytest.fixture
def shared_home(embedded_stack: Settings, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Home of the servers of all tests, for tests that only look at them."""
    if read_running_stack(embedded_stack.home) is None:
        pytest.skip("the servers of the tests are not embedded")
    monkeypatch.setenv("INTERACTIONS_HOME", str(embedded_stack.home))
    return embedded_stack.home


@pytest.fixture
def small_home(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose stack embeds only Postgres: faster, for tests that do not need the Java servers."""
    with new_home() as home:
        monkeypatch.setenv("INTERACTIONS_HOME", str(home))
        monkeypatch.setenv("INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
        monkeypatch.setenv("INTERACTIONS_SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")
        yield home


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def up(roles: str = "none") -> None:
    started = cli("up", "--detach", "--roles", roles, "--stop-with", str(os.getpid()))
    assert started.returncode == 0, started.stderr


def records(home: Path) -> dict[str, ProcessRecord]:
    state = read_stack_file(home)
    assert state is not None
    return {record.name: record for record in state.processes}


def status() -> dict[str, dict[str, Any]]:
    shown = cli("status", "--json")
    return {process["name"]: process for process in json.loads(shown.stdout)["processes"]}


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that mention the home or run inside it."""
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
    """SIGKILL the supervisor and all its processes; the supervisor first, so that it restarts nothing."""
    state = read_stack_file(home)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    for record in state.processes:
        if record.pid is not None:
            try:
                os.kill(record.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    wait_until(lambda: not processes_of(home), 60, lambda: str(processes_of(home)))


def test_status_and_env_describe_what_runs(shared_home: Path) -> None:
    shown = status()

    assert [(name, process["state"]) for name, process in shown.items()] == [
        (name, "running") for name in SERVERS
    ]
    assert set(shown["kafka"]) >= {"role", "pid", "state", "lag"}
    exports = dict(line.removeprefix("export ").split("=", 1) for line in cli("env").stdout.splitlines())
    assert exports.pop("INTERACTIONS_HOME") == str(shared_home)
    assert set(exports) == {
        "INTERACTIONS_DATABASE_URL",
        "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS",
        "INTERACTIONS_SCHEMA_REGISTRY_URL",
    }
    assert all("127.0.0.1:" in value for value in exports.values())


def test_servers_listen_on_loopback_only(shared_home: Path) -> None:
    pids = {record.pid for record in records(shared_home).values()}
    sockets = {
        str(link.readlink())
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink() and str(link.readlink()).startswith("socket:")
    }
    listening = "0A"
    addresses = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == listening and f"socket:[{fields[9]}]" in sockets:
                addresses.add(fields[1].partition(":")[0])
    # 127.0.0.1 in /proc notation, as IPv4 and mapped into IPv6.
    assert addresses
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_a_second_stack_on_the_same_home_is_refused(shared_home: Path) -> None:
    before = records(shared_home)

    second = cli("up", "--detach", "--roles", "none")

    assert second.returncode == 2
    assert "already runs" in second.stderr
    assert "interactions down" in second.stderr
    assert "Traceback" not in second.stderr
    assert records(shared_home) == before


@pytest.mark.long
def test_killed_servers_are_started_again(full_home: Path) -> None:
    before = records(full_home)

    for record in before.values():
        assert record.pid is not None
        os.kill(record.pid, signal.SIGKILL)

    def recovered() -> bool:
        now = records(full_home)
        return all(
            now[name].state == "running" and now[name].pid != before[name].pid and now[name].restarts == 1
            for name in SERVERS
        )

    wait_until(recovered, 90, lambda: str(records(full_home)))


@pytest.mark.long
def test_data_survive_kill_9_of_everything_at_the_same_addresses(full_home: Path) -> None:
    settings = load_settings()
    with connect(settings, application_name="test") as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    producer = make_producer(settings)
    admin = make_admin(settings)
    admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])["kept"].result()
    producer.produce("kept", b"42")
    assert producer.flush(90) == 0
    schema = Schema('{"type": "record", "name": "Kept", "fields": []}', "AVRO")
    schema_id = make_registry(settings).register_schema("kept-value", schema)
    segment = own_segment(full_home)

    kill_everything(full_home)
    # The kernel may take a moment to end a killed process.
    wait_until(lambda: read_running_stack(full_home) is None, 30)
    up()

    again = load_settings()
    assert again.model_dump() == settings.model_dump()
    with connect(again, application_name="test") as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(42,)]
    consumer = make_consumer(again, "test")
    consumer.subscribe(["kept"])
    try:
        messages = consumer.consume(1, 90)
        assert [message.value() for message in messages] == [b"42"]
    finally:
        consumer.close()
    assert make_registry(again).lookup_schema("kept-value", schema).schema_id == schema_id
    assert segment not in shared_memory_segments() or segment == own_segment(full_home)


@pytest.mark.long
def test_children_end_with_a_killed_supervisor(full_home: Path) -> None:
    state = read_stack_file(full_home)
    assert state is not None

    os.kill(state.pid, signal.SIGKILL)

    wait_until(lambda: processes_of(full_home) == [], 60, lambda: str(processes_of(full_home)))


@pytest.mark.long
def test_roles_run_and_a_killed_one_is_started_again_until_down(
    servers_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = servers_home
    monkeypatch.setenv("INTERACTIONS_HOME", str(home))
    cli("down")
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
    segment = own_segment(home)
    assert segment in shared_memory_segments()

    stopped = cli("down")

    assert stopped.returncode == 0
    assert "Data is kept" in stopped.stdout
    assert processes_of(home) == []
    assert segment not in shared_memory_segments()
    assert not [path for path in home.rglob("*") if path.is_socket()]
    assert cli("down").stdout.startswith("No stack is running")
    nothing = cli("status", "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)) == (
        2,
        {"processes": [], "stalls": [], "integrity": None},
    )


@pytest.mark.long
def test_down_cleans_up_after_kill_9_of_everything(small_home: Path) -> None:
    up()
    segment = own_segment(small_home)
    kill_everything(small_home)
    assert segment in shared_memory_segments()

    assert cli("down").returncode == 0

    assert segment not in shared_memory_segments()
    assert not (small_home / "data" / "postgres" / "postmaster.pid").exists()


@pytest.mark.long
def test_down_ends_what_a_killed_supervisor_left(small_home: Path) -> None:
    """As on systems whose kernel does not end children with their parent: the state file lists them."""
    up()
    state = read_stack_file(small_home)
    assert state is not None
    (postgres,) = state.processes
    assert postgres.pid is not None
    assert postgres.mark is not None
    # While stopped, Postgres cannot handle the signal that it gets when its supervisor dies.
    os.kill(postgres.pid, signal.SIGSTOP)
    os.kill(state.pid, signal.SIGKILL)
    wait_until(lambda: not state.alive, 20)
    assert is_alive(postgres.pid, postgres.mark)

    assert cli("down").stdout.startswith("Stopped")

    assert processes_of(small_home) == []


def test_a_bystander_that_has_got_a_recorded_pid_is_left_alone(small_home: Path) -> None:
    up()
    state = read_stack_file(small_home)
    assert state is not None
    kill_everything(small_home)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        record = state.processes[0].model_copy(update={"pid": bystander.pid})
        write_stack_file(small_home, state.model_copy(update={"pid": bystander.pid, "processes": [record]}))

        assert cli("down").stdout.startswith("No stack is running")

        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()


def test_the_reason_is_told_when_the_stack_does_not_come_up(
    small_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_POSTGRES_SHARED_BUFFERS_MB", "99999999")

    failed = cli("up", "--detach", "--roles", "none")

    assert failed.returncode == 2
    assert "postgres keeps ending" in failed.stderr
    assert "shared_buffers" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert processes_of(small_home) == []


@pytest.mark.long
def test_servers_of_ones_own_are_used_and_not_started(small_home: Path) -> None:
    up()
    running = read_running_stack(small_home)
    assert running is not None

    assert list(status()) == ["postgres"]
    assert running.addresses.kafka_bootstrap_servers == "127.0.0.1:9"


@pytest.mark.long
def test_addresses_of_the_last_start_in_the_shell_do_not_count_as_ones_own(
    small_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    running = read_running_stack(small_home)
    assert running is not None
    cli("down")
    monkeypatch.setenv("INTERACTIONS_DATABASE_URL", running.addresses.database_url)

    up()

    assert list(status()) == ["postgres"]


def test_an_ephemeral_home_is_deleted_at_the_end(small_home: Path) -> None:
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


def test_a_taken_port_that_was_asked_for_is_refused(
    small_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("INTERACTIONS_POSTGRES_PORT", str(port))

        refused = cli("up", "--detach", "--roles", "none")

    assert refused.returncode == 2
    assert f"Port {port} (INTERACTIONS_POSTGRES_PORT) is taken" in refused.stderr


def test_ctrl_c_stops_a_stack_in_the_foreground(small_home: Path) -> None:
    arguments = [sys.executable, "-m", "cli.main", "up", "--roles", "none"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def ready() -> bool:
            running = read_running_stack(small_home)
            return running is not None and running.ready

        wait_until(ready, 60, lambda: f"exit code {process.poll()}")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    assert "Ctrl-C stops everything" in output
    assert processes_of(small_home) == []
