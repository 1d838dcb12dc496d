"""The broker and its security as Faust's client (aiokafka) takes them, from the settings of every client."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import faust
from faust.types.auth import CredentialsT

from runtime.kafka import client_config
from runtime.settings import Settings
from schemas.errors import Stop

_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
#: librdkafka's security properties that are carried over.
_KNOWN: Final = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
    }
)


def faust_broker(settings: Settings) -> dict[str, Any]:
    """The options ``broker`` and ``broker_credentials`` of a Faust app.

    They follow from the properties that the librdkafka clients get, ``kafka_options`` included, so that one
    configuration does for all. For apps that talk to Kafka themselves: librdkafka knows more mechanisms.

    :raises Stop: a security property is given that Faust's client cannot follow, or that cannot be used.
    """
    config = client_config(settings)
    servers = str(config["bootstrap.servers"]).split(",")
    options: dict[str, Any] = {"broker": [f"kafka://{server.strip()}" for server in servers]}
    credentials = _credentials(config)
    return options if credentials is None else {**options, "broker_credentials": credentials}


def _credentials(config: dict[str, Any]) -> CredentialsT | None:
    protocol = str(config.get("security.protocol", "plaintext")).upper()
    if protocol == "PLAINTEXT":
        return None
    unknown = [
        name
        for name in sorted(config)
        if name.startswith(("ssl.", "sasl.", "security.", "enable.ssl.", "https.")) and name not in _KNOWN
    ]
    if unknown:
        raise Stop(f"the agent's Kafka client cannot follow {', '.join(unknown)}; take it out")
    if protocol == "SSL":
        return faust.SSLCredentials(_tls(config))
    if protocol not in ("SASL_PLAINTEXT", "SASL_SSL"):
        raise Stop(f"the Kafka security protocol {protocol} is not known")
    mechanism = str(config.get("sasl.mechanism", config.get("sasl.mechanisms", "none"))).upper()
    if mechanism not in _MECHANISMS:
        raise Stop(
            f"the agent's Kafka client does not know the SASL mechanism {mechanism}; set"
            f" INTERACTIONS_KAFKA_SASL_MECHANISM to one of {', '.join(_MECHANISMS)}"
        )
    return faust.SASLCredentials(
        username=config.get("sasl.username"),
        password=config.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=_tls(config) if protocol == "SASL_SSL" else None,
    )


def _tls(config: dict[str, Any]) -> ssl.SSLContext:
    place = config.get("ssl.ca.location")
    folder = place is not None and Path(place).is_dir()
    certificate = config.get("ssl.certificate.location")
    try:
        context = ssl.create_default_context(
            cafile=None if folder else place,
            capath=place if folder else None,
            cadata=config.get("ssl.ca.pem"),
        )
        if certificate is not None:
            context.load_cert_chain(
                certificate, config.get("ssl.key.location"), config.get("ssl.key.password")
            )
    except OSError as error:
        # An ssl.SSLError is one too.
        given = " or ".join(str(name) for name in (place, certificate) if name is not None)
        raise Stop(f"{given or 'the CA certificates'}: {error.strerror or error}") from error
    if str(config.get("ssl.endpoint.identification.algorithm", "https")).lower() == "none":
        context.check_hostname = False
    if str(config.get("enable.ssl.certificate.verification", "true")).lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
