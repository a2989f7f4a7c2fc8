"""A server on this machine that is micropython.org for programs that are told so."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "micropython.org"
FOLDER = "/resources/firmware/"


@asynccontextmanager
async def micropython_org(
    folder: Path, images: Mapping[str, bytes]
) -> AsyncGenerator[dict[str, str]]:
    """Serve images, and others a 404; return the environment of who shall get them.

    Its HTTPS is real, as is the proxy that leads there; only the authority that has
    signed its certificate is one of our own.
    """
    certificate = folder / "micropython.org.pem"
    server = await asyncio.start_server(
        lambda reader, writer: _answer(reader, writer, images),
        "127.0.0.1",
        ssl=_context(certificate),
    )
    port = server.sockets[0].getsockname()[1]
    proxy = await asyncio.start_server(
        lambda reader, writer: _tunnel(reader, writer, port), "127.0.0.1"
    )
    async with server, proxy:
        yield {
            "https_proxy": f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}",
            "SSL_CERT_FILE": str(certificate),
            "CURL_CA_BUNDLE": str(certificate),
        }


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    images: Mapping[str, bytes],
) -> None:
    path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
    content = images.get(path.removeprefix(FOLDER))
    status = "404 Not Found" if content is None else "200 OK"
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content or b'')}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + (content or b""))
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
) -> None:
    asked = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
    if asked == f"{HOST}:443":
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, back), _copy(there, writer))
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _context(path: Path) -> ssl.SSLContext:
    """Return the context of a server whose certificate is at `path` from now on."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    public = key.public_key()
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), True
        )
        .sign(key, hashes.SHA256())
    )
    secret = path.with_suffix(".key")
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return context
