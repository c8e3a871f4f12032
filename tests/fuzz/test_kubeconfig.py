"""Whatever stands in a kubeconfig is used or refused in one sentence, which quotes nothing of it."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providerswitch.api.errors import UserError
from providerswitch.kube.login import log_in

TOKEN = "s3cr3t-t0ken"
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["a", "", "https://127.0.0.1:6443", "http://[::1", "/nonexistent", "!!", "YQ==", TOKEN, "a.b.c"])
)
NAMES = (
    *("server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify", "proxy-url"),
    *("tls-server-name", "token", "tokenFile", "client-certificate", "client-certificate-data", "client-key"),
    *("client-key-data", "username", "password", "auth-provider", "name", "config", "id-token", "refresh-token"),
)
"""Everything but `exec`, which runs a program: who writes that into a kubeconfig may run programs anyway."""
PARTS = st.dictionaries(st.sampled_from(NAMES), LEAVES | st.dictionaries(st.sampled_from(NAMES), LEAVES), max_size=5)


def kubeconfig(cluster: Any, user: Any, context: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": context}],
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": user}],
    }
    return yaml.safe_dump(document)


CONTEXTS = st.just({"cluster": "a", "user": "a"}) | PARTS
files = st.builds(kubeconfig, PARTS, PARTS, CONTEXTS).map(str.encode) | st.binary(max_size=60)


def told_of(content: bytes) -> str:
    """Log in with a file; return what can be seen of the outcome."""
    handle, name = tempfile.mkstemp()
    try:
        os.write(handle, content)
        login = asyncio.run(log_in(name))
    except UserError as error:
        return f"{error.reason}: {error.message}"
    finally:
        os.close(handle)
        Path(name).unlink()
    return f"{login.server} {login!r}"


@given(files)
@example(b"\xff\xfe")
@example(b"a: &a [*a]\nb: !!python/object/apply:os.system [true]")
@example(b"%YAML 9.9\n---\n")
@settings(max_examples=100, derandomize=True)
def test_any_kubeconfig_is_used_or_refused_in_words(content: bytes) -> None:
    told = told_of(content)

    assert told.startswith("BadKubeconfig: ") or "Login(" in told
    assert TOKEN not in told
