"""``interactions new-connector``: write skeleton files for a new provider."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.errors import Reject, Stop

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,30}")
_PROVIDER: Final = '''"""{title}: an interaction is … (see docs/writing-a-connector.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.remote import Gone, Health, Intent, RemoteObject


class {title}Settings(ProviderSettings):
    """Address and credentials."""

    url: str = Field(description="Address of the API")
    token: SecretStr = Field(description="Token of the API")


class {title}(Provider):
    """One account."""

    def __init__(self, settings: {title}Settings, context: ProviderContext) -> None:
        self._settings = settings
        self._http = context.http

    def create(self, intent: Intent) -> RemoteObject:
        raise NotImplementedError

    def read(self, external_id: str) -> RemoteObject | Gone:
        raise NotImplementedError

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        raise NotImplementedError

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        raise NotImplementedError

    def archive(self, external_id: str) -> RemoteObject | Gone:
        raise NotImplementedError

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        raise NotImplementedError

    def health(self) -> Health:
        raise NotImplementedError


DECLARATION = Declaration(
    name="{name}",
    title="{title}",
    summary="Mirrors interactions as ….",
    settings={title}Settings,
    make={title},
    fields=(
        MirroredField(name="title", remote_name="title"),
        MirroredField(name="status", remote_name="state"),
    ),
    features=frozenset({{"read", "find"}}),
    hosts=lambda settings: (),
    limits=(RateLimit(requests=10, seconds=1),),
)
'''
_TEST: Final = '''"""{title} against a server: the conformance suite and tests of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sdk.conformance import ProviderConformance, ProviderHarness
from connectors.providers.{name} import DECLARATION


class {title}Harness(ProviderHarness):
    """The provider in front of a server that the test can reach behind."""

    declaration = DECLARATION


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    raise NotImplementedError("start the server, and yield a harness around the provider")


class Test{title}(ProviderConformance):
    """Conformance tests that every provider must pass."""
'''


def register(app: typer.Typer) -> None:
    """Add ``new-connector``."""
    app.command("new-connector", help="Write a skeleton for a new connector: provider and test.")(
        new_connector
    )


def new_connector(
    name: Annotated[str, typer.Argument(help="Name of the provider: lower-case letters, digits and _.")],
    folder: Annotated[Path, typer.Option(help="Source tree to write to.")] = Path(),
) -> None:
    """Write the skeleton files.

    :raises Reject: the name is not a valid module name.
    :raises Stop: the folder is not a source tree, or a file exists.
    """
    if not _NAME.fullmatch(name):
        raise Reject(
            "bad_name", "A name starts with a letter and has 2 to 31 lower-case letters, digits and _."
        )
    providers = folder / "connectors" / "providers"
    tests = folder / "tests" / "providers"
    if not providers.is_dir() or not tests.is_dir():
        raise Stop(
            f"{folder.resolve()} has no connectors/providers and tests/providers. Nothing was written;"
            " run this in the source tree."
        )
    title = "".join(part.capitalize() for part in name.split("_"))
    files = {providers / f"{name}.py": _PROVIDER, tests / f"test_{name}.py": _TEST}
    for path in files:
        if path.exists():
            raise Stop(f"{path} already exists. Nothing was written.")
    for path, text in files.items():
        path.write_text(text.format(name=name, title=title))
        typer.echo(f"wrote {path}")
    typer.echo("Next: docs/writing-a-connector.md")
