"""``interactions new-connector``: the two files of a new provider, to be filled in."""

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

from connectors.sdk.provider import Context, Provider
from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.remote import Gone, Health, Intent, RemoteObject


class {title}Settings(ProviderSettings):
    """Where it is, and how to sign in."""

    url: str = Field(description="Address of the API")
    token: SecretStr = Field(description="Token of the API")


class {title}(Provider):
    """One account."""

    def __init__(self, settings: {title}Settings, context: Context) -> None:
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
_TEST: Final = '''"""{title} against a server: the conformance suite, and what only {title} has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sdk.conformance import ProviderConformance, Stage
from connectors.providers.{name} import DECLARATION


class {title}Stage(Stage):
    """The provider in front of a server that the test can reach behind."""

    declaration = DECLARATION


@pytest.fixture
def stage() -> Iterator[Stage]:
    raise NotImplementedError("start the server, and yield a stage in front of it")


class Test{title}(ProviderConformance):
    """Everything that every provider must do."""
'''


def register(app: typer.Typer) -> None:
    """Add ``new-connector``."""
    app.command("new-connector", help="Write the two files of a new connector, to be filled in.")(
        new_connector
    )


def new_connector(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _; the provider's name.")],
    folder: Annotated[Path, typer.Option(help="The source tree.")] = Path(),
) -> None:
    """Write the two files.

    :raises Reject: the name cannot be a module's.
    :raises Stop: this is no source tree, or a file is there already.
    """
    if not _NAME.fullmatch(name):
        raise Reject("bad_name", "a name has 2 to 31 small letters, digits and _, and begins with a letter")
    providers = folder / "connectors" / "providers"
    tests = folder / "tests" / "providers"
    if not providers.is_dir() or not tests.is_dir():
        raise Stop(
            f"{folder.resolve()} has no connectors/providers and tests/providers: go to the source tree"
        )
    title = "".join(part.capitalize() for part in name.split("_"))
    files = {providers / f"{name}.py": _PROVIDER, tests / f"test_{name}.py": _TEST}
    for path in files:
        if path.exists():
            raise Stop(f"{path} is there already")
    for path, text in files.items():
        path.write_text(text.format(name=name, title=title))
        typer.echo(f"wrote {path}")
    typer.echo("Fill them in: docs/writing-a-connector.md")
