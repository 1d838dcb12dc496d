"""Adding an integration: its settings, its secrets and its policy from the command line."""

from __future__ import annotations

import getpass
import os
import re
import secrets as chance
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import Reject, Stop

if TYPE_CHECKING:
    from connectors.sdk.declaration import Declaration
    from runtime.secret_box import SecretBox

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{2,60}")


def secret_box() -> SecretBox:
    """The box for the keys of this shell.

    :raises Stop: no key is set.
    """
    from runtime.connector_settings import read_connector_settings
    from runtime.secret_box import box_of

    return box_of(read_connector_settings())


def integration_id(wanted: str | None, provider: str) -> str:
    """The id as wanted, else one that nobody has.

    :raises Reject: it cannot stand in an address.
    """
    identity = wanted or f"{provider.replace('_', '-')}-{chance.token_hex(4)}"
    if not _ID.fullmatch(identity):
        raise Reject("bad_id", "an id has 3 to 61 small letters, digits and dashes", pointer="/id")
    return identity


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """``name=value`` texts as a dict.

    :raises Reject: one has no ``=``.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Reject("bad_option", f"{option} takes name=value, not {text.split('=')[0]!r} alone")
        found[name] = value
    return found


def settings_of(
    declared: Declaration,
    plain: Mapping[str, Any],
    secret: Mapping[str, str],
    known: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Checked settings of a provider: what is stored in the clear, and what is sealed.

    :param secret: name → ``@file``, ``env:NAME``; secrets are never given on the command line itself.
    :param known: secrets that are stored already; ``secret`` replaces those it names.
    :raises Reject: the settings do not fit; every field is named.
    """
    from connectors.service.integration_settings import stored_settings

    hidden = declared.settings.secret_fields()
    misplaced = sorted(hidden & plain.keys())
    if misplaced:
        raise Reject(
            "secret_in_the_open",
            f"{', '.join(misplaced)}: give secrets with --secret name=@file or name=env:NAME",
        )
    values = {**(known or {}), **{name: _secret(name, source) for name, source in secret.items()}}
    for name in sorted(hidden - values.keys()):
        if declared.settings.model_fields[name].is_required():
            if not sys.stdin.isatty():
                raise Reject("missing_secret", f"--secret {name}=@file or {name}=env:NAME is missing")
            values[name] = getpass.getpass(f"{name}: ")
    return stored_settings(declared, plain, values), values


def _secret(name: str, source: str) -> str:
    if source.startswith("@"):
        try:
            return Path(source[1:]).read_text().strip()
        except OSError as error:
            raise Stop(f"--secret {name}: {source[1:]} cannot be read: {error.strerror}") from error
    if source.startswith("env:"):
        value = os.environ.get(source[4:])
        if not value:
            raise Stop(f"--secret {name}: the variable {source[4:]} is not set")
        return value
    raise Reject("secret_in_the_open", f"--secret {name} takes @file or env:NAME, not the secret itself")
