"""One configuration for librdkafka and for Faust's client: the options passed to aiokafka."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiokafka  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from mode import Service
from pydantic import SecretStr

from connectors.service.event_consumer import make_app
from runtime.faust_broker import faust_broker
from runtime.settings import Settings
from schemas.errors import Stop

SERVERS = "one.example:9092, two.example:9093"
PASSWORD = "correct horse"
SASL: dict[str, Any] = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "interactions",
    "kafka_sasl_password": SecretStr(PASSWORD),
}


class Captured(Exception):
    """Raised instead of creating a client; holds the options."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """File with the certificate of a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    return str(file)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Options passed to aiokafka consumers and producers, without creating them."""
    found: list[dict[str, Any]] = []

    def keep(*_: object, **options: Any) -> None:
        found.append(options)
        raise Captured

    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", keep)
    monkeypatch.setattr(aiokafka, "AIOKafkaProducer", keep)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield found
    asyncio.set_event_loop(None)
    loop.close()


def client_options(made: list[dict[str, Any]], folder: Path, **given: Any) -> tuple[dict[str, Any], ...]:
    """Options of the agent's consumer and producer."""
    settings = Settings(kafka_bootstrap_servers=SERVERS, **given)
    app: Any = make_app(settings, Service(), lambda _: None, lambda _: None, folder)
    thread = app.consumer._thread
    try:
        with pytest.raises(Captured):
            thread._create_worker_consumer(app.transport)
        with pytest.raises(Captured):
            app.producer._new_producer()
    finally:
        thread.thread_loop.close()
    return made[0], made[1]


def test_sasl_over_tls_reaches_both_clients(
    made: list[dict[str, Any]], tmp_path: Path, authority: str
) -> None:
    for options in client_options(made, tmp_path, **SASL, kafka_ssl_ca_location=authority):
        assert options["bootstrap_servers"] == ["one.example:9092", "two.example:9093"]
        assert options["security_protocol"] == "SASL_SSL"
        assert options["sasl_mechanism"] == "SCRAM-SHA-512"
        assert options["sasl_plain_username"] == "interactions"
        assert options["sasl_plain_password"] == PASSWORD
        assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
        assert options["ssl_context"].check_hostname
        (trusted,) = options["ssl_context"].get_ca_certs()
        assert trusted["subject"] == ((("commonName", "tests"),),)


def test_without_security_there_is_none(made: list[dict[str, Any]], tmp_path: Path) -> None:
    for options in client_options(made, tmp_path):
        assert options["security_protocol"] == "PLAINTEXT"
        assert "sasl_mechanism" not in options


def test_tls_alone(made: list[dict[str, Any]], tmp_path: Path) -> None:
    for options in client_options(made, tmp_path, kafka_security_protocol="ssl"):
        assert options["security_protocol"] == "SSL"
        assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED


def test_the_further_options_win_here_too(made: list[dict[str, Any]], tmp_path: Path) -> None:
    further = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "bootstrap.servers": "three.example:1",
    }
    for options in client_options(made, tmp_path, **SASL, kafka_options=further):
        assert options["bootstrap_servers"] == ["three.example:1"]
        assert options["security_protocol"] == "SASL_PLAINTEXT"
        assert options["sasl_mechanism"] == "PLAIN"
        assert options["ssl_context"] is None


def test_checks_are_left_out_only_when_asked_for() -> None:
    named = {**SASL, "kafka_options": {"ssl.endpoint.identification.algorithm": "none"}}
    context = faust_broker(Settings(kafka_bootstrap_servers=SERVERS, **named))[
        "broker_credentials"
    ].ssl_context
    assert not context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    blind = {**SASL, "kafka_options": {"enable.ssl.certificate.verification": False}}
    context = faust_broker(Settings(kafka_bootstrap_servers=SERVERS, **blind))[
        "broker_credentials"
    ].ssl_context
    assert context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_sasl_mechanism": "GSSAPI"}, "INTERACTIONS_KAFKA_SASL_MECHANISM"),
        ({"kafka_sasl_mechanism": None}, "INTERACTIONS_KAFKA_SASL_MECHANISM"),
        ({"kafka_security_protocol": "TLS"}, "security protocol TLS"),
        ({"kafka_ssl_ca_location": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"kafka_ssl_ca_location": __file__}, "test_faust_broker.py"),
        ({"kafka_options": {"ssl.keystore.location": "k"}}, "ssl.keystore.location"),
    ],
)
def test_what_cannot_be_followed_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Stop, match=said) as refusal:
        faust_broker(Settings(kafka_bootstrap_servers=SERVERS, **{**SASL, **given}))
    assert PASSWORD not in str(refusal.value)
