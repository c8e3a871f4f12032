"""Finding the API server: what works, and what a user reads when nothing does."""

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
import yaml

from providerswitch.api.errors import UserError
from providerswitch.controller.handlers import connection
from providerswitch.kube import login as module
from providerswitch.kube.login import Login, log_in

KEY = "sk-secret-0123456789"
Headers = Callable[[Login], Awaitable[dict[str, str]]]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither in a Pod nor with a kubeconfig in the home folder."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def kubeconfig(cluster: object = None, user: object = None, **more: object) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": "https://127.0.0.1:6443"} if cluster is None else cluster}
            ],
            "users": [{"name": "u", "user": {"token": KEY} if user is None else user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
            **more,
        }
    )


def write(folder: Path, text: str | bytes) -> str:
    file = folder / "kubeconfig"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


async def test_a_kubeconfig_tells_where_the_server_is_and_who_we_are(tmp_path: Path) -> None:
    login = await log_in(write(tmp_path, kubeconfig()))
    assert login.server == "https://127.0.0.1:6443"
    assert await login.bearer_token() == KEY


async def test_with_client_certificates_there_is_no_token(tmp_path: Path) -> None:
    login = await log_in(write(tmp_path, kubeconfig(user={})))
    assert await login.bearer_token() is None


async def test_the_clients_of_a_login_are_made_for_its_server(tmp_path: Path) -> None:
    client = (await log_in(write(tmp_path, kubeconfig()))).open()
    assert client.configuration.host == "https://127.0.0.1:6443"
    await client.close()


async def test_two_logins_know_nothing_of_each_other(tmp_path: Path) -> None:
    first = await log_in(write(tmp_path, kubeconfig()))
    second = await log_in(write(tmp_path, kubeconfig({"server": "https://127.0.0.2"}, {"token": "other"})))
    assert (first.server, second.server) == ("https://127.0.0.1:6443", "https://127.0.0.2")
    assert (await first.bearer_token(), await second.bearer_token()) == (KEY, "other")


async def test_without_a_kubeconfig_the_one_in_the_home_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".kube"
    folder.mkdir(parents=True)
    (folder / "config").write_text(kubeconfig())
    assert (await log_in(None)).server == "https://127.0.0.1:6443"


async def test_a_kubeconfig_may_be_named_from_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").write_text(kubeconfig())
    assert (await log_in("~/mine")).server == "https://127.0.0.1:6443"


@pytest.mark.parametrize("given", ["/nonexistent/kubeconfig", None, "/"])
async def test_without_any_the_user_is_told_the_two_ways_to_name_one(given: str | None) -> None:
    with pytest.raises(UserError) as caught:
        await log_in(given)
    assert caught.value.reason == "NoCluster"
    assert caught.value.message == (
        f'There is no ServiceAccount token here and no kubeconfig at "{given or "~/.kube/config"}". '
        "Run inside a cluster, or name a kubeconfig with --kubeconfig or KUBECONFIG."
    )


BROKEN = {
    "empty": "",
    "a list": "[1, 2]",
    "a word": KEY,
    "no YAML": f"token: [{KEY}",
    "tabs": f"token: {KEY}\n\tx: 1",
    "binary": b"\xff\xfe\x00" + KEY.encode(),
    "no clusters": f"apiVersion: v1\nkind: Config\nusers: [{{name: {KEY}}}]\n",
    "no such context": kubeconfig(**{"current-context": KEY}),
    "no server": kubeconfig(cluster={}),
    "a cluster that is text": kubeconfig(cluster=KEY),
    "users that are a number": kubeconfig(users=3),
    "a missing authority": kubeconfig(cluster={"server": "https://127.0.0.1", "certificate-authority": f"/{KEY}"}),
    "a missing certificate": kubeconfig(user={"client-certificate": f"/{KEY}", "client-key": f"/{KEY}"}),
    "a missing token file": kubeconfig(user={"tokenFile": f"/{KEY}"}),
    "a sign-in that is half set up": kubeconfig(
        user={"auth-provider": {"name": "oidc", "config": {"id-token": f"{KEY}.b"}}}
    ),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
async def test_a_kubeconfig_that_cannot_be_used_is_told_with_the_way_to_check_it(
    text: str | bytes, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        await log_in(path)
    assert caught.value.reason == "BadKubeconfig"
    assert caught.value.message == f'The kubeconfig "{path}" cannot be used. Try: kubectl --kubeconfig {path} version'


async def test_a_certificate_that_is_none_is_found_when_the_client_is_made(tmp_path: Path) -> None:
    data = base64.b64encode(KEY.encode()).decode()
    login = await log_in(
        write(tmp_path, kubeconfig(cluster={"server": "https://127.0.0.1", "certificate-authority-data": data}))
    )
    with pytest.raises(OSError) as caught:  # noqa: PT011  # main.py turns it into a sentence
        login.open()
    assert KEY not in str(caught.value)


async def test_a_login_prints_no_token(tmp_path: Path) -> None:
    login = await log_in(write(tmp_path, kubeconfig()))
    assert KEY not in f"{login} {login!r}"


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that the kubelet fills in a Pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text(KEY)
    trustme.CA().cert_pem.write_to_path(folder / "ca.crt")
    monkeypatch.setattr(module, "SERVICE_ACCOUNT", folder)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return folder


async def test_in_a_pod_the_service_account_is_taken(pod: Path) -> None:
    login = await log_in(None)
    assert (login.server, login.configuration.ssl_ca_cert) == ("https://10.96.0.1:443", str(pod / "ca.crt"))
    assert await login.bearer_token() == KEY


async def headers_of_kopf(login: Login) -> dict[str, str]:
    """Return what kopf's requests carry."""
    return (await connection(login)).as_http_headers()


async def headers_of_client(login: Login) -> dict[str, str]:
    """Return what our own client's requests carry."""
    headers: dict[str, str] = {}
    client = login.open()
    await client.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
    await client.close()
    return headers


@pytest.mark.parametrize("headers_of", [headers_of_kopf, headers_of_client])
async def test_in_a_pod_each_request_carries_the_token_as_it_is_now(pod: Path, headers_of: Headers) -> None:
    login = await log_in(None)
    assert (await headers_of(login)).popitem()[1] == f"Bearer {KEY}"
    (pod / "token").write_text("renewed\n")
    assert (await headers_of(login)).popitem()[1] == "Bearer renewed"


@pytest.mark.parametrize("text", [None, b"", b"\n", b"\xff"])
async def test_a_token_that_cannot_be_read_for_a_moment_leaves_the_last_one(pod: Path, text: bytes | None) -> None:
    login = await log_in(None)
    if text is None:
        (pod / "token").unlink()
    else:
        (pod / "token").write_bytes(text)
    assert await login.bearer_token() == KEY


@pytest.mark.parametrize("headers_of", [headers_of_kopf, headers_of_client])
async def test_a_token_file_of_a_kubeconfig_is_read_again_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers_of: Headers
) -> None:
    (tmp_path / "token").write_text(KEY)
    login = await log_in(write(tmp_path, kubeconfig(user={"tokenFile": str(tmp_path / "token")})))
    (tmp_path / "token").write_text("renewed")
    assert (await headers_of(login)).popitem()[1] == f"Bearer {KEY}"
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0)
    assert (await headers_of(login)).popitem()[1] == "Bearer renewed"
    (tmp_path / "token").unlink()
    assert (await headers_of(login)).popitem()[1] == "Bearer renewed"


async def test_a_context_is_chosen_by_name_and_names_the_namespace(tmp_path: Path) -> None:
    contexts = [
        {"name": name, "context": {"cluster": "c", "user": "u", "namespace": namespace}}
        for name, namespace in (("x", "team-x"), ("y", "team-y"))
    ]
    file = write(tmp_path, kubeconfig(contexts=contexts))
    assert (await log_in(file)).namespace == "team-x"
    assert (await log_in(file, "y")).namespace == "team-y"
    with pytest.raises(UserError, match="cannot be used"):
        await log_in(file, "z")


async def test_a_context_without_a_namespace_names_none(tmp_path: Path) -> None:
    assert (await log_in(write(tmp_path, kubeconfig()))).namespace is None


async def test_several_files_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    file = write(tmp_path, kubeconfig())
    assert (await log_in(f"{tmp_path / 'none'}:{file}")).server == "https://127.0.0.1:6443"
