"""Compare the contract with every released version of it, and freeze it at a release.

``python -m tests.contract.release`` (``make release-check``) fails when the Avro schemas, the AsyncAPI
document or the OpenAPI document break a client of a released version. ``--freeze VERSION``
(``make release-freeze VERSION=…``) stores today's contract under ``released/VERSION``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from api import openapi
from schemas import asyncapi, avro_schemas
from schemas.errors import InteractionsError, Stop
from tests.contract import asyncapi_compatibility, openapi_compatibility
from tests.contract.avro_compatibility import incompatibilities

RELEASED: Final = Path(__file__).parent / "released"
_AVRO: Final = "avro"
#: File of a release → builder of today's document, and its comparison with a released one.
_DOCUMENTS: Final[dict[str, tuple[Callable[[], Any], Callable[[Any, Any], list[str]]]]] = {
    "asyncapi.json": (asyncapi.document, asyncapi_compatibility.breaking_changes),
    "openapi.json": (openapi.current_document, openapi_compatibility.breaking_changes),
}


def releases(folder: Path = RELEASED) -> list[Path]:
    """Folders of the released versions, by version number."""
    found = [path for path in folder.glob("*") if path.is_dir()]
    return sorted(found, key=lambda path: [int(part) for part in path.name.split(".")])


def breaking_changes(folder: Path = RELEASED) -> list[str]:
    """Compare today's contract with every released version.

    Avro in both directions (``FULL_TRANSITIVE``), AsyncAPI and OpenAPI from the released client's side.

    :returns: one line per problem, starting with the version; empty when nothing breaks.
    """
    released = releases(folder)
    return [f"{path.name}: {line}" for path in released for line in _compare(path, _today())]


def freeze(version: str, folder: Path = RELEASED) -> Path:
    """Store today's contract as that of a released version; a frozen version is never rewritten.

    :returns: the folder of the release.
    :raises Stop: it is not the version of this code, it was frozen before, or the contract breaks an
        earlier release.
    """
    if version != asyncapi.CONTRACT_VERSION:
        raise Stop(f"This code is version {asyncapi.CONTRACT_VERSION}, not {version}; set the version first.")
    frozen = folder / version
    if frozen.exists():
        raise Stop(f"Version {version} is frozen already and never changes; raise the version.")
    problems = breaking_changes(folder)
    if problems:
        raise Stop("The contract breaks a released version; nothing was frozen:\n" + "\n".join(problems))
    (frozen / _AVRO).mkdir(parents=True)
    for name, text in avro_schemas.golden_files().items():
        (frozen / _AVRO / name).write_text(text, encoding="utf-8")
    for name, document in _today().items():
        (frozen / name).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return frozen


@cache
def _today() -> Mapping[str, Any]:
    return {name: build() for name, (build, _) in _DOCUMENTS.items()}


def _compare(release: Path, today: Mapping[str, Any]) -> list[str]:
    found = []
    schemas = avro_schemas.avro_schemas()
    for path in sorted((release / _AVRO).glob("*.avsc")):
        old, new = json.loads(path.read_bytes()), schemas.get(path.stem)
        if new is None:
            found.append(f"{path.stem}: the record was removed")
            continue
        found += [f"{path.stem}{line} (new reader, released writer)" for line in incompatibilities(new, old)]
        found += [f"{path.stem}{line} (released reader, new writer)" for line in incompatibilities(old, new)]
    for name, (_, compare) in _DOCUMENTS.items():
        old = json.loads((release / name).read_bytes())
        found += [f"{name}: {line}" for line in compare(old, today[name])]
    return found


def main(arguments: list[str]) -> str:
    """Run the command.

    :returns: the message to print.
    :raises Stop: the contract breaks a released version, or it cannot be frozen.
    """
    match arguments:
        case ["--freeze", version]:
            return f"The contract of version {version} is frozen in {freeze(version)}; commit it."
        case []:
            versions = [path.name for path in releases()]
            if not versions:
                return "No version has been released: there is nothing to compare the contract with."
            problems = breaking_changes()
            if problems:
                raise Stop("The contract breaks a released version:\n" + "\n".join(problems))
            return f"The contract is compatible with every released version: {', '.join(versions)}."
        case _:
            raise Stop("usage: python -m tests.contract.release [--freeze VERSION]")


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except InteractionsError as error:
        sys.exit(str(error))
