"""Downloads of the Java servers: only content with the pinned digest is used."""

from __future__ import annotations

import gc
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Stop
from stack import artifacts
from stack.artifacts import kafka_class_path

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
CONTENT = b"a jar"
COORDINATE = "org.example:part:1.0::jar"
PLACE = Path("org/example/part/1.0/part-1.0.jar")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository on loopback, with one artifact pinned."""
    lock = tmp_path / "artifacts.lock"
    lock.write_text(f"{COORDINATE} sha256:{hashlib.sha256(CONTENT).hexdigest()}\n")
    monkeypatch.setattr(artifacts, "LOCK_FILE", lock)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "mirror"
    (folder / PLACE).parent.mkdir(parents=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        monkeypatch.setenv(artifacts.REPOSITORY_VARIABLE, f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder
        server.shutdown()
    # jgo leaves the sockets of its streamed responses to the garbage collector; run it here.
    gc.collect()


def stored(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_the_pinned_content_is_stored_and_not_fetched_again(mirror: Path, tmp_path: Path) -> None:
    (mirror / PLACE).write_bytes(CONTENT)

    (jar,) = kafka_class_path(lambda _: None)

    assert jar.read_bytes() == CONTENT
    (mirror / PLACE).unlink()
    assert kafka_class_path(lambda _: None) == [jar]
    assert stored(tmp_path) == [jar]


def test_other_content_is_refused_and_not_stored(mirror: Path, tmp_path: Path) -> None:
    (mirror / PLACE).write_bytes(b"something else")

    with pytest.raises(Stop, match=f"{COORDINATE}.*pins"):
        kafka_class_path(lambda _: None)

    assert stored(tmp_path) == []


def test_a_missing_file_is_tried_again_and_then_named(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("stack.artifacts.time.sleep", pauses.append)

    with pytest.raises(Stop, match=f"{COORDINATE} cannot be downloaded"):
        kafka_class_path(lambda _: None)

    assert len(pauses) > 1
    assert stored(tmp_path) == []


def test_the_lock_names_one_version_of_the_kafka_clients() -> None:
    clients = [
        a for a in artifacts.locked_artifacts() if (a.group, a.name) == ("org.apache.kafka", "kafka-clients")
    ]
    brokers = [
        a for a in artifacts.locked_artifacts() if (a.group, a.name) == ("org.apache.kafka", "kafka_2.13")
    ]

    assert [client.version for client in clients] == [broker.version for broker in brokers]
    assert len(clients) == 1


def test_an_archive_is_unpacked_on_every_python(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11.0 to 3.11.3 have no extraction filters; these tests run on each Python of the machine."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("registry/runner.jar"), io.BytesIO())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    artifacts.LOCK_FILE.write_text(f"{artifacts.REGISTRY_ARTIFACT} sha256:{digest}\n")
    (artifact,) = artifacts.locked_artifacts(artifacts.LOCK_FILE)
    (mirror / artifact.relative_path).parent.mkdir(parents=True)
    (mirror / artifact.relative_path).write_bytes(content.getvalue())

    folder = artifacts.registry_folder(lambda _: None)

    assert [path.name for path in folder.rglob("*.jar")] == ["runner.jar"]
