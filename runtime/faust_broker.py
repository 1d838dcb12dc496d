"""Translate the librdkafka broker and security settings to Faust's client (aiokafka)."""

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
#: librdkafka security properties that are translated.
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
    """Build the options ``broker`` and ``broker_credentials`` of a Faust app.

    They derive from the librdkafka properties, ``kafka_options`` included, so that one configuration serves
    all clients. Only for apps whose agents consume through aiokafka, which supports fewer SASL mechanisms.

    :raises Stop: a security property is set that aiokafka does not support or that is unusable.
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
        raise Stop(f"the agent's Kafka client does not support {', '.join(unknown)}; remove it")
    if protocol == "SSL":
        return faust.SSLCredentials(_tls(config))
    if protocol not in ("SASL_PLAINTEXT", "SASL_SSL"):
        raise Stop(f"unknown Kafka security protocol {protocol}")
    mechanism = str(config.get("sasl.mechanism", config.get("sasl.mechanisms", "none"))).upper()
    if mechanism not in _MECHANISMS:
        raise Stop(
            f"the agent's Kafka client does not support the SASL mechanism {mechanism}; set"
            f" INTERACTIONS_KAFKA_SASL_MECHANISM to one of {', '.join(_MECHANISMS)}"
        )
    return faust.SASLCredentials(
        username=config.get("sasl.username"),
        password=config.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=_tls(config) if protocol == "SASL_SSL" else None,
    )


def _tls(config: dict[str, Any]) -> ssl.SSLContext:
    location = config.get("ssl.ca.location")
    folder = location is not None and Path(location).is_dir()
    certificate = config.get("ssl.certificate.location")
    try:
        context = ssl.create_default_context(
            cafile=None if folder else location,
            capath=location if folder else None,
            cadata=config.get("ssl.ca.pem"),
        )
        if certificate is not None:
            context.load_cert_chain(
                certificate, config.get("ssl.key.location"), config.get("ssl.key.password")
            )
    except OSError as error:
        # ssl.SSLError is a subclass of OSError.
        given = " or ".join(str(name) for name in (location, certificate) if name is not None)
        raise Stop(f"{given or 'the CA certificates'}: {error.strerror or error}") from error
    if str(config.get("ssl.endpoint.identification.algorithm", "https")).lower() == "none":
        context.check_hostname = False
    if str(config.get("enable.ssl.certificate.verification", "true")).lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
