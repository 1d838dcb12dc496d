"""Regenerate ``artifacts.lock``: Kafka Connect and Debezium's JDBC sink, each file with its SHA-256.

Run as ``python -m bench.peers.lock_artifacts`` after changing a version.
"""

from __future__ import annotations

import hashlib
from typing import Final

from jgo.maven import MavenContext

from bench.peers.debezium import LOCK, VERSION

CONNECT: Final = "4.3.1"
#: Versions that Jetty 12 and Jersey 3.1 need; the resolver would pick older ones.
NAMED: Final = (
    "jakarta.ws.rs:jakarta.ws.rs-api:3.1.0",
    "jakarta.servlet:jakarta.servlet-api:6.0.0",
    "jakarta.inject:jakarta.inject-api:2.0.1",
    "jakarta.annotation:jakarta.annotation-api:2.1.1",
)


def main() -> None:
    """Resolve, download missing files, write the lock."""
    context = MavenContext()
    names = ("connect-runtime", "connect-json", "connect-transforms", "connect-api", "kafka-clients")
    asked = [context.create_dependency(f"org.apache.kafka:{name}:{CONNECT}") for name in names]
    asked.extend(context.create_dependency(coordinate) for coordinate in NAMED)
    asked.append(context.create_dependency("org.apache.logging.log4j:log4j-slf4j-impl:2.25.1"))
    _, nodes = context.resolver.get_dependency_list(asked)
    artifacts = [dependency.artifact for dependency in asked]
    named = {(artifact.groupId, artifact.artifactId) for artifact in artifacts}
    found = (node.dep.artifact for node in nodes)
    artifacts += [artifact for artifact in found if (artifact.groupId, artifact.artifactId) not in named]
    project = context.project("io.debezium", "debezium-connector-jdbc").at_version(VERSION)
    artifacts.append(project.artifact("plugin", "tar.gz"))
    lines = {
        f"{a.groupId}:{a.artifactId}:{a.version}:{a.classifier}:{a.packaging}"
        f" sha256:{hashlib.sha256(a.resolve().read_bytes()).hexdigest()}\n"
        for a in artifacts
    }
    LOCK.write_text("".join(sorted(lines)))


if __name__ == "__main__":
    main()
