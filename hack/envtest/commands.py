"""The command line of each server."""

import random
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 20_000
LAST_PORT: Final = 32_000
"""Below the range that Linux takes for outgoing connections: none of them can take the port of a stopped server."""

CONTROLLERS: Final = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "endpointslice-controller",
    "deployment-controller",
    "replicaset-controller",
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where one control plane lives."""

    assets: Path
    """The folder of the binaries."""
    data: Path
    """The folder of everything it writes."""
    etcd_port: int
    peer_port: int
    api_port: int

    @property
    def etcd_url(self) -> str:
        """Where the API server finds etcd."""
        return f"http://{HOST}:{self.etcd_port}"

    @property
    def api_url(self) -> str:
        """Where clients find the API server."""
        return f"https://{HOST}:{self.api_port}"

    @property
    def certificate(self) -> Path:
        """The API server's own certificate, with its authority behind it; the server writes it at its first start."""
        return self.data / "certificates" / "apiserver.crt"

    @property
    def signing_key(self) -> Path:
        """The key of the service account tokens."""
        return self.data / "service-account.key"

    @property
    def tokens(self) -> Path:
        """The API server's token file."""
        return self.data / "tokens.csv"

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig of the user who may do everything."""
        return self.data / "admin.kubeconfig"


def etcd_command(site: Site) -> list[str]:
    """Return etcd's command line: one member, no fsync."""
    peer = f"http://{HOST}:{site.peer_port}"
    return [
        str(site.assets / "etcd"),
        f"--data-dir={site.data / 'etcd'}",
        f"--listen-client-urls={site.etcd_url}",
        f"--advertise-client-urls={site.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver_command(site: Site) -> list[str]:
    """Return the API server's command line."""
    return [
        str(site.assets / "kube-apiserver"),
        f"--etcd-servers={site.etcd_url}",
        f"--secure-port={site.api_port}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        # EndpointSlices refuse loopback addresses, so it cannot publish itself as the Service kubernetes.
        "--endpoint-reconciler-type=none",
        f"--cert-dir={site.certificate.parent}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={site.signing_key}",
        f"--service-account-signing-key-file={site.signing_key}",
        "--service-cluster-ip-range=10.96.0.0/24",
        "--authorization-mode=RBAC",
        f"--token-auth-file={site.tokens}",
        # It refuses Pods until the namespace has its default account: a race that tells tests nothing.
        "--disable-admission-plugins=ServiceAccount",
    ]


def controller_manager_command(site: Site) -> list[str]:
    """Return the controller manager's command line, with the controllers that need no node."""
    return [
        str(site.assets / "kube-controller-manager"),
        f"--kubeconfig={site.admin_kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        f"--service-account-private-key-file={site.signing_key}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address on which nothing listens."""
    candidates = random.sample(range(FIRST_PORT, LAST_PORT), k=200)
    return [port for port in candidates if is_free(port)][:count]


def is_free(port: int) -> bool:
    """Tell whether a server could listen there."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
