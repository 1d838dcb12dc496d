"""Regenerate ``artifacts.lock``: resolve the Java servers' dependencies and record each file's SHA-256.

Run ``python -m stack.lock_artifacts`` after changing a version below, and review the diff.
"""

from __future__ import annotations

import hashlib
import sys

from jgo.maven import MavenContext

from stack.artifacts import LOCK_FILE, REGISTRY_ARTIFACT

KAFKA_VERSION = "4.1.1"
KAFKA_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Named although kafka_2.13 depends on it: otherwise the resolver may choose another version.
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1",
)


def main() -> None:
    """Resolve the artifacts, download missing ones, and write the lock file."""
    context = MavenContext()
    dependencies = [context.create_dependency(coordinate) for coordinate in KAFKA_COORDINATES]
    _, nodes = context.resolver.get_dependency_list(dependencies)
    artifacts = [dependency.artifact for dependency in dependencies] + [node.dep.artifact for node in nodes]
    versions = {
        a.version for a in artifacts if a.groupId == "org.apache.kafka" and a.artifactId == "kafka-clients"
    }
    if versions != {KAFKA_VERSION}:
        sys.exit(f"kafka-clients resolved to {sorted(versions)}; expected only {KAFKA_VERSION}")
    group, name, version, classifier, packaging = REGISTRY_ARTIFACT.split(":")
    artifacts.append(context.project(group, name).at_version(version).artifact(classifier, packaging))
    lines = set()
    for artifact in artifacts:
        digest = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
        project = f"{artifact.groupId}:{artifact.artifactId}"
        lines.add(
            f"{project}:{artifact.version}:{artifact.classifier}:{artifact.packaging} sha256:{digest}\n"
        )
    LOCK_FILE.write_text("".join(sorted(lines)))


if __name__ == "__main__":
    main()
