"""A station that reports over HTTPS."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
import pytest

from .interpreter import BOARD, CLOCK, FIRMWARE, SIMULATOR, run, write_config
from .server import ReportServer, report_server


def _server_context(folder: Path) -> ssl.SSLContext:
    """Return the context of a server with a self-signed certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ha.example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _proxy_context(context: ssl.SSLContext, name: str) -> ssl.SSLContext:
    """Return the context of a proxy that serves a single name."""
    proxy = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def choose(stream: ssl.SSLObject, asked: str, _: ssl.SSLContext) -> int | None:
        if asked != name:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        stream.context = context
        return None

    proxy.sni_callback = choose
    return proxy


async def _report_for_ten_minutes(
    folder: Path, server: ReportServer, host: str = "127.0.0.1"
) -> str:
    """Let a station report over HTTPS; return its console."""
    address = {"host": host, "port": server.port, "tls": True}
    write_config(folder, server.port, server=address)
    for _ in range(2):  # The first start is for the settings.
        code, output = await run(
            folder, *(SIMULATOR / "memory.py", "10"), modules=(FIRMWARE, BOARD, CLOCK)
        )
    assert code == 0, output
    assert output.endswith("open 0\n")
    return output


async def test_tls(tmp_path: Path, socket_enabled: None) -> None:
    """Reports arrive encrypted, and no socket is left open."""
    async with report_server(_server_context(tmp_path)) as server:
        server.answers = ["unsigned 503", "200"]
        await _report_for_ten_minutes(tmp_path, server)
    # The first has no nonce, and that of the one after it was used.
    assert len(server.requests) == 13


@pytest.mark.parametrize(
    ("host", "requests"), [("localhost", 11), ("127.0.0.1", 0)], ids=["name", "number"]
)
async def test_tls_with_a_proxy(
    tmp_path: Path, socket_enabled: None, host: str, requests: int
) -> None:
    """The station sends the server's name, by which a proxy chooses the certificate."""
    context = _proxy_context(_server_context(tmp_path), "localhost")
    async with report_server(context) as server:
        output = await _report_for_ten_minutes(tmp_path, server, host)
    assert len(server.requests) == requests
    assert ("The server: no answer" in output) is (requests == 0)


async def test_tls_with_a_server_that_has_none(
    tmp_path: Path, socket_enabled: None
) -> None:
    """An unencrypted answer is ignored; the station keeps trying."""
    async with report_server() as server:
        output = await _report_for_ten_minutes(tmp_path, server)
    assert "The server: no answer" in output
