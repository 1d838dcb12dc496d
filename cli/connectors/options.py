"""Settings and secrets of an integration, parsed from command line options."""

from __future__ import annotations

import getpass
import os
import re
import secrets
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
    """The secret box with the keys of the environment.

    :raises Stop: INTERACTIONS_SECRETS_KEY is not set.
    """
    from runtime.connector_settings import read_connector_settings
    from runtime.secret_box import load_secret_box

    return load_secret_box(read_connector_settings())


def integration_id(wanted: str | None, provider: str) -> str:
    """The wanted id if there is one, otherwise a random one.

    :raises Reject: the id cannot be part of a URL.
    """
    identity = wanted or f"{provider.replace('_', '-')}-{secrets.token_hex(4)}"
    if not _ID.fullmatch(identity):
        raise Reject("bad_id", "An id has 3 to 61 lower-case letters, digits and dashes.", pointer="/id")
    return identity


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Parse ``name=value`` texts.

    :raises Reject: one has no ``=``, or a name occurs twice.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Reject("bad_option", f"{option} takes name=value, not just {text.split('=')[0]!r}.")
        if name in found:
            raise Reject("bad_option", f"{option} names {name!r} twice. Nothing was changed.")
        found[name] = value
    return found


def settings_of(
    declared: Declaration,
    plain: Mapping[str, Any],
    secret: Mapping[str, str],
    known: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Validate settings against a provider's declaration.

    :param secret: name → ``@file`` or ``env:NAME``; the command line itself never carries a secret.
    :param known: stored secrets; ``secret`` replaces those it names.
    :returns: settings to store in plain text, and secrets to encrypt.
    :raises Reject: a setting is missing or invalid; every such field is named.
    """
    from connectors.service.integration_settings import stored_settings

    secret_names = declared.settings.secret_fields()
    misplaced = sorted(secret_names & plain.keys())
    if misplaced:
        raise Reject(
            "secret_in_the_open",
            f"{', '.join(misplaced)}: pass secrets with --secret name=@file or name=env:NAME.",
        )
    unknown = sorted(secret.keys() - secret_names)
    if unknown:
        raise Reject(
            "not_a_secret",
            f"{', '.join(unknown)}: {declared.title} has no such secret; settings are passed with --set.",
        )
    values = {**(known or {}), **{name: _secret(name, source) for name, source in secret.items()}}
    for name in sorted(secret_names - values.keys()):
        if declared.settings.model_fields[name].is_required():
            if not sys.stdin.isatty():
                raise Reject(
                    "missing_secret", f"A secret is missing: --secret {name}=@file or {name}=env:NAME"
                )
            values[name] = getpass.getpass(f"{name}: ")
    return stored_settings(declared, plain, values), values


def _secret(name: str, source: str) -> str:
    if source.startswith("@"):
        try:
            return Path(source[1:]).read_text().strip()
        except OSError as error:
            raise Stop(f"--secret {name}: cannot read {source[1:]}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Stop(f"--secret {name}: {source[1:]} is not a text in UTF-8") from error
    if source.startswith("env:"):
        value = os.environ.get(source[4:])
        if not value:
            raise Stop(f"--secret {name}: the environment variable {source[4:]} is not set")
        return value
    raise Reject("secret_in_the_open", f"--secret {name} takes @file or env:NAME, not the secret itself.")
