"""Embedded Kafka: one KRaft node, broker and controller, on loopback."""

from __future__ import annotations

import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from runtime.kafka import unavailable_reason
from runtime.settings import Settings
from schemas.errors import Stop
from stack.aot_cache import fast_start
from stack.artifacts import Progress, kafka_class_path
from stack.home import Home
from stack.java import java_command
from stack.options import StackOptions
from stack.ports import free_port, is_free
from stack.server import Launch

_LOG_SETTINGS = """\
status=warn
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""


class KafkaServer:
    """One broker with its log in ``data/kafka``."""

    role = "kafka"
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        home: Home,
        options: StackOptions,
        port: int,
        controller_port: int,
        *,
        jvm: list[str] | None = None,
    ) -> None:
        """:param jvm: options of the JVM; by default those of :func:`fast_start`."""
        self._data = home.data / "kafka"
        self._properties = home.run / "kafka.properties"
        self._log_settings = home.run / "kafka-log4j2.properties"
        self._options = options
        self._port = port
        self._controller_port = controller_port
        self._jvm = jvm
        self._jars: list[Path] = []

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self._port}"

    def prepare(self, progress: Progress) -> None:
        """Download the jars, write the configuration, format the log directory once."""
        self._jars = kafka_class_path(progress)
        format_options: list[str] = []
        if self._jvm is None:
            self._jvm = format_options = fast_start(self.role, self._jars, self._rehearsal, progress)
        self._log_settings.write_text(_LOG_SETTINGS)
        self._properties.write_text(self._settings_text(self._data))
        if not self._data.exists():
            progress("formatting the Kafka log directory")
            self._format(format_options)

    def _rehearsal(self, home: Home, jvm: list[str]) -> KafkaServer:
        port = free_port()
        return KafkaServer(home, self._options, port, free_port([port]), jvm=jvm)

    def _format(self, jvm: list[str]) -> None:
        """Format a scratch folder, then rename it: an interrupted format leaves no partial log directory."""
        scratch = self._data.with_name("kafka.new")
        shutil.rmtree(scratch, ignore_errors=True)
        settings = self._properties.with_suffix(".format")
        settings.write_text(self._settings_text(scratch))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        tool = [*self._java(128, jvm), "kafka.tools.StorageTool"]
        formatted = subprocess.run(
            [*tool, "format", "-t", cluster, "-c", str(settings)], check=False, capture_output=True, text=True
        )
        settings.unlink()
        if formatted.returncode != 0:
            raise Stop(
                f"Kafka could not format {scratch}: {(formatted.stderr or formatted.stdout).strip()[-2000:]}"
            )
        scratch.rename(self._data)

    def launch(self) -> Launch:
        """``kafka.Kafka`` with its properties file."""
        return Launch(
            arguments=[
                *self._java(self._options.kafka_heap_mb, self._jvm or []),
                "kafka.Kafka",
                str(self._properties),
            ],
            folder=self._data.parent,
        )

    def _java(self, heap_mb: int, jvm: list[str]) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._log_settings}"
        return java_command(self._jars, heap_mb, [*jvm, logging])

    def _settings_text(self, log_folder: Path) -> str:
        session, heartbeat = self._options.kafka_session_timeout_ms, self._options.kafka_heartbeat_ms
        properties: dict[str, str | int] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"CLIENT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{self._port}",
            "inter.broker.listener.name": "CLIENT",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(log_folder),
            "auto.create.topics.enable": "false",
            # One node: internal topics cannot have more than one replica.
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 8,
            # Interval at which the broker aborts timed-out transactions. Until then, the partitions of a
            # killed producer are blocked (the default is 10 s).
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # Both group protocols: with the classic one the client chooses a value above the minimum, with
            # the consumer protocol the broker's value applies.
            "group.min.session.timeout.ms": min(6_000, session),
            "group.consumer.min.session.timeout.ms": min(6_000, session),
            "group.consumer.session.timeout.ms": session,
            "group.consumer.min.heartbeat.interval.ms": min(1_000, heartbeat),
            "group.consumer.heartbeat.interval.ms": heartbeat,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            "log.segment.delete.delay.ms": 1_000,
        }
        return "".join(f"{name}={value}\n" for name, value in properties.items())

    def not_ready(self) -> str | None:
        """Request cluster metadata, once the port is open."""
        if is_free(self._port):
            return f"nothing listens on port {self._port}"
        own = Settings(kafka_bootstrap_servers=self.bootstrap_servers, kafka_security_protocol=None)
        return unavailable_reason(own)

    def after_ready(self) -> None:
        """Nothing to do: topics are created by the supervisor's preparations."""

    def clean(self) -> None:
        """Nothing to do: the broker leaves nothing outside its folder."""
