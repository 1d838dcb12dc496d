"""``bench/results.json``: machine, versions, and each metric's figure with its components."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import libversion

from bench.metric import Figure, Metric
from bench.servers import administer
from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.json"


def machine(server_settings: dict[str, str], *, quick: bool) -> dict[str, Any]:
    """Describe the machine and the conditions of the run."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "quick": quick,
        "revision": revision(),
        "settings": server_settings,
    }


def versions(servers: Settings) -> dict[str, str]:
    """Versions of the product's dependencies, the servers and the peers."""
    from bench.peers.debezium import VERSION
    from bench.peers.lock_artifacts import CONNECT
    from stack.lock_artifacts import KAFKA_VERSION

    packages = (
        "confluent-kafka",
        "faust-streaming",
        "fastavro",
        "orjson",
        "psycopg",
        "pydantic",
        "sqlalchemy",
    )
    return {
        "python": sys.version.split()[0],
        "postgres": str(administer(servers, "SHOW server_version")[0][0]).split()[0],
        "kafka": KAFKA_VERSION,
        "librdkafka": str(libversion()[0]),
        **{name: version(name) for name in packages},
        "debezium-connector-jdbc": VERSION,
        "kafka-connect": CONNECT,
        "quixstreams": _quixstreams(),
    }


def entry(metric: Metric, figure: Figure) -> dict[str, Any]:
    """One member of ``metrics``."""
    value = None if figure.value is None else round(figure.value, 4)
    found = {"value": value, "floor": metric.floor, "aim": metric.aim, "parts": dict(figure.parts)}
    return {**found, "upper": True} if metric.upper else found


def write(content: dict[str, Any], path: Path = RESULTS) -> None:
    """Replace the file atomically."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    fresh.replace(path)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def revision() -> str:
    """Measured revision (``git describe``)."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def _quixstreams() -> str:
    lock = ROOT / "bench" / "peers" / "quix.requirements.lock"
    line = next(line for line in lock.read_text().splitlines() if line.startswith("quixstreams"))
    return line.partition("==")[2].split()[0]
