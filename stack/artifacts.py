"""Files of the Java servers: pinned by version and SHA-256 in ``artifacts.lock``, downloaded from Maven."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.backoff import Backoff
from schemas.errors import Stop
from stack.daemon_threads import run_all

LOCK_FILE = Path(__file__).with_name("artifacts.lock")
REGISTRY_ARTIFACT = "io.apicurio:apicurio-registry-app:2.6.13.Final:all:tar.gz"
REPOSITORY_VARIABLE = "INTERACTIONS_MAVEN_REPOSITORY"
_ATTEMPTS = 4
_SCRATCH_SECONDS = 3600.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository and its expected digest."""

    group: str
    name: str
    version: str
    classifier: str
    packaging: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """``group:name:version:classifier:packaging``."""
        return f"{self.group}:{self.name}:{self.version}:{self.classifier}:{self.packaging}"

    @property
    def relative_path(self) -> Path:
        """Path inside a Maven repository (the standard layout)."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return Path(
            *self.group.split("."),
            self.name,
            self.version,
            f"{self.name}-{self.version}{tail}.{self.packaging}",
        )


def locked_artifacts(lock: Path | None = None) -> list[Artifact]:
    """Read the artifacts of a lock file; by default ``artifacts.lock``."""
    artifacts = []
    for line in (lock or LOCK_FILE).read_text().splitlines():
        coordinate, _, digest = line.partition(" sha256:")
        group, name, version, classifier, packaging = coordinate.split(":")
        artifacts.append(Artifact(group, name, version, classifier, packaging, digest))
    return artifacts


def cache_root() -> Path:
    """Folder of verified files, shared by all homes (``XDG_CACHE_HOME``)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "customer-interactions"


def kafka_class_path(progress: Progress) -> list[Path]:
    """Download and verify the broker's jars.

    :raises Stop: a file cannot be downloaded, or its digest does not match.
    """
    jars = [artifact for artifact in locked_artifacts() if artifact.coordinate != REGISTRY_ARTIFACT]
    return fetch_all(jars, progress)


def registry_folder(progress: Progress) -> Path:
    """Download, verify and unpack the registry distribution.

    :raises Stop: a file cannot be downloaded, or its digest does not match.
    """
    (artifact,) = [artifact for artifact in locked_artifacts() if artifact.coordinate == REGISTRY_ARTIFACT]
    folder = cache_root() / f"{artifact.name}-{artifact.version}-{artifact.sha256[:12]}"
    if folder.exists():
        return folder
    (archive,) = fetch_all([artifact], progress)
    progress("unpacking the schema registry")
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix="unpacking-") as scratch:
        with tarfile.open(archive) as tar:
            # Python 3.11.0 to 3.11.3 have no extraction filters; the archive is pinned by its digest.
            if filter_ := getattr(tarfile, "data_filter", None):
                tar.extraction_filter = filter_
            tar.extractall(scratch)  # noqa: S202
        _move_into_place(Path(scratch), folder)
    # The archive takes three quarters of the cache; the unpacked folder replaces it.
    archive.unlink(missing_ok=True)
    return folder


def _move_into_place(source: Path, target: Path) -> None:
    """Rename the folder, unless another process has already done so."""
    content = source / "content"
    content.mkdir()
    for child in source.iterdir():
        if child != content:
            child.rename(content / child.name)
    try:
        content.rename(target)
    except OSError:
        if not target.exists():
            raise


def fetch_all(artifacts: Sequence[Artifact], progress: Progress) -> list[Path]:
    """Download and verify the artifacts that are not in the cache; return the paths of all.

    :raises Stop: a file cannot be downloaded, or its digest does not match.
    """
    missing = [artifact for artifact in artifacts if not _stored(artifact).exists()]
    if missing:
        progress(f"downloading {len(missing)} files of the Java servers (first run only)")
        cache_root().mkdir(parents=True, exist_ok=True)
        _remove_stale_scratch()
        for _ in run_all([partial(_fetch, artifact) for artifact in missing], workers=8):
            pass
    return [_stored(artifact) for artifact in artifacts]


def _remove_stale_scratch() -> None:
    """Delete the scratch folders of interrupted downloads, except those that may still be in progress."""
    for pattern in ("download-*", "unpacking-*", "rehearsing-*"):
        for scratch in cache_root().glob(pattern):
            if time.time() - scratch.stat().st_mtime > _SCRATCH_SECONDS:
                shutil.rmtree(scratch, ignore_errors=True)


def _stored(artifact: Artifact) -> Path:
    return cache_root() / "maven" / artifact.relative_path


def _fetch(artifact: Artifact) -> None:
    """Download into a scratch folder, verify, then rename, so that the cache never has a partial file."""
    import requests
    from jgo.maven import MavenContext

    remote = os.environ.get(REPOSITORY_VARIABLE)
    problem: Exception | None = None
    for _, pause in zip(range(_ATTEMPTS), Backoff(first=0.5, ceiling=5).delays(), strict=False):
        with tempfile.TemporaryDirectory(dir=cache_root(), prefix="download-") as scratch:
            context = MavenContext(
                repo_cache=Path(scratch),
                remote_repos={"mirror": remote.rstrip("/")} if remote else None,
                timeout=60,
            )
            component = context.project(artifact.group, artifact.name).at_version(artifact.version)
            try:
                fetched = component.artifact(artifact.classifier, artifact.packaging).resolve()
            except (requests.RequestException, RuntimeError, OSError) as error:
                problem = error
                time.sleep(pause)
                continue
            digest = _sha256(fetched)
            if digest != artifact.sha256:
                raise Stop(
                    f"{artifact.coordinate} was downloaded with SHA-256 {digest}, but {LOCK_FILE.name} pins "
                    f"{artifact.sha256}. Nothing was installed; check the Maven repository you download from."
                )
            target = _stored(artifact)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fetched, target)
            return
    raise Stop(
        f"{artifact.coordinate} cannot be downloaded: {problem}. "
        f"Check the network, or set {REPOSITORY_VARIABLE} to a Maven mirror."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
