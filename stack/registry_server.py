"""Embedded schema registry: Apicurio with a file database, used through its Confluent-compatible API."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path

from stack.aot_cache import fast_start
from stack.artifacts import Progress, registry_folder
from stack.home import Home
from stack.java import java_command
from stack.options import StackOptions
from stack.ports import free_port
from stack.server import Launch


class RegistryServer:
    """One registry with its database in ``data/schema-registry``, so that schema ids survive a restart."""

    role = "schema-registry"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, options: StackOptions, port: int, *, jvm: list[str] | None = None) -> None:
        """:param jvm: options of the JVM; by default those of :func:`fast_start`."""
        self._data = home.data / "schema-registry"
        self._options = options
        self._port = port
        self._jvm = jvm
        self._folder = Path()

    @property
    def url(self) -> str:
        """Base URL of the Confluent-compatible API."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def prepare(self, progress: Progress) -> None:
        """Download and unpack the distribution."""
        self._folder = registry_folder(progress)
        self._data.mkdir(exist_ok=True)
        if self._jvm is None:
            jars = [self._runner, self._folder / "lib"]
            self._jvm = fast_start(self.role, jars, self._rehearsal, progress)

    def _rehearsal(self, home: Home, jvm: list[str]) -> RegistryServer:
        return RegistryServer(home, self._options, free_port(), jvm=jvm)

    @property
    def _runner(self) -> Path:
        return next(self._folder.glob("*-runner.jar"))

    def launch(self) -> Launch:
        """The Quarkus runner."""
        options = [
            *(self._jvm or []),
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={self._port}",
            f"-Dquarkus.datasource.jdbc.url=jdbc:h2:file:{self._data / 'registry'};WRITE_DELAY=0",
            "-Dquarkus.datasource.jdbc.initial-size=1",
            "-Dquarkus.datasource.jdbc.min-size=1",
            "-Dquarkus.datasource.jdbc.max-size=5",
            "-Dquarkus.log.level=WARN",
            "-Dquarkus.log.console.json=false",
        ]
        class_path: list[Path | str] = [self._runner, f"{self._folder / 'lib'}/*"]
        command = java_command(class_path, self._options.schema_registry_heap_mb, options)
        return Launch(arguments=[*command, "io.quarkus.runner.GeneratedMain"], folder=self._folder)

    def not_ready(self) -> str | None:
        """List the subjects through the clients' API."""
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2):  # noqa: S310 - our own http:// address
                return None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            return str(error)

    def after_ready(self) -> None:
        """Nothing to do: schemas are registered by the supervisor's preparations."""

    def clean(self) -> None:
        """Nothing to do: the registry leaves nothing outside its folder."""
