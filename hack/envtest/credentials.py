"""Keys, tokens and kubeconfigs, made with nothing but the standard library."""

import base64
import json
import secrets
from pathlib import Path
from typing import Final

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SEC1_HEAD: Final = bytes.fromhex("30310201010420")
SEC1_TAIL: Final = bytes.fromhex("a00a06082a8648ce3d030107")
"""An EC private key as DER (RFC 5915) around its 32 bytes: version 1 before, the curve P-256 after."""


def signing_key() -> str:
    """Return a new private key, as PEM, with which the API server signs service account tokens."""
    number = secrets.randbelow(P256_ORDER - 1) + 1
    body = base64.b64encode(SEC1_HEAD + number.to_bytes(32, "big") + SEC1_TAIL).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----\n"


def token_line(token: str) -> str:
    """Return the API server's token file: one user who may do everything."""
    return f'{token},admin,admin,"system:masters"\n'


def kubeconfig(server: str, certificate: bytes, token: str) -> str:
    """Return a kubeconfig, as JSON, which is YAML too."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(certificate).decode()}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user", "namespace": "default"}}],
            "current-context": "local",
        },
        indent=2,
    )


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
    return path
