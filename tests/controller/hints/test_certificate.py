"""TLS for hints: with a certificate made here, renewed while clients come and go."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from prometheus_client import CollectorRegistry
from tests.support.eventually import eventually
from tests.support.operator_process import free_port

from providerswitch.api.errors import UserError
from providerswitch.controller.hints.certificate import Certificate
from providerswitch.controller.server import build_app, serve


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def issue(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """Issue a certificate for loopback into the two files of a folder, as a mounted Secret has them."""
    made = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    made.cert_chain_pems[0].write_to_path(certificate)
    made.private_key_pem.write_to_path(key)
    return certificate, key


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Certificate:
    return Certificate(*issue(authority, tmp_path))


@pytest.fixture
async def port(certificate: Certificate) -> AsyncIterator[int]:
    app = build_app(CollectorRegistry(), alive=lambda: True, ready=lambda: True)
    found = free_port()
    runner = await serve(app, "127.0.0.1", found, tls=certificate.context)
    yield found
    await runner.cleanup()


async def ask(port: int, authority: trustme.CA) -> int:
    async with httpx.AsyncClient(trust_env=False, verify=trusting(authority)) as client:
        return (await client.get(f"https://127.0.0.1:{port}/healthz")).status_code


async def test_who_trusts_the_authority_is_served_over_tls(port: int, authority: trustme.CA) -> None:
    assert await ask(port, authority) == 200
    with pytest.raises(httpx.ConnectError):
        await ask(port, trustme.CA())


async def test_plain_http_is_not_answered(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{port}/healthz")


async def test_a_renewed_certificate_is_taken_without_a_restart(
    port: int, certificate: Certificate, tmp_path: Path
) -> None:
    other = trustme.CA()
    issue(other, tmp_path)
    certificate.refresh()
    assert await ask(port, other) == 200


async def test_it_is_looked_for_by_itself(
    certificate: Certificate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    looking = asyncio.create_task(certificate.keep_current(0.01))
    issue(trustme.CA(), tmp_path)
    await eventually(lambda: "read again" in caplog.text)
    looking.cancel()


@pytest.mark.parametrize("broken", ["garbage", "half", "gone", "empty"])
async def test_a_renewal_that_cannot_be_used_leaves_the_former_and_a_later_one_is_taken(
    port: int,
    certificate: Certificate,
    authority: trustme.CA,
    tmp_path: Path,
    broken: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = trustme.CA()
    key = tmp_path / "tls.key"
    if broken == "half":
        former = key.read_bytes()
        issue(other, tmp_path)
        key.write_bytes(former)
    elif broken == "gone":
        key.unlink()
    else:
        (tmp_path / "tls.crt").write_text("" if broken == "empty" else "no certificate")
    certificate.refresh()
    certificate.refresh()
    assert await ask(port, authority) == 200
    assert caplog.text.count("cannot be used, so the former stays") == 1
    issue(other, tmp_path)
    certificate.refresh()
    assert await ask(port, other) == 200


def test_old_versions_of_tls_are_not_spoken(certificate: Certificate) -> None:
    assert certificate.context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("broken", ["missing", "swapped", "encrypted"])
def test_files_that_cannot_be_used_end_the_start_with_what_to_do(
    authority: trustme.CA, tmp_path: Path, broken: str
) -> None:
    certificate, key = issue(authority, tmp_path)
    if broken == "missing":
        key.unlink()
    elif broken == "swapped":
        certificate, key = key, certificate
    else:
        encrypt(key)
    with pytest.raises(UserError, match=r"--hints-cert .* --hints-key .* not readable PEM files") as refused:
        Certificate(certificate, key)
    assert refused.value.reason == "BadHintsCertificate"


def encrypt(key: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    found = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        found.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
