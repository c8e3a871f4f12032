"""A real Kubernetes control plane for tests and the demo: etcd, kube-apiserver, kube-controller-manager. No kubelet.

Imported, it is a context manager; run, it stays in the foreground until Ctrl-C:

    python hack/envtest/control_plane.py --kubeconfig /path/to/new/kubeconfig

It prints `KUBECONFIG=...` and then `ready` when the API server answers.
"""

import argparse
import atexit
import http.client
import os
import secrets
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from binaries import MissingBinariesError, require_binaries
from commands import HOST, Site, apiserver_command, controller_manager_command, etcd_command, free_ports
from credentials import kubeconfig, signing_key, token_line, write_private
from guard import Guard
from servers import ControlPlaneError, Server

READY_SECONDS: Final = 120.0
"""It takes 4 s; a machine that also compiles something takes several times as long."""
POLL_SECONDS: Final = 0.1
DEFAULT_ACCOUNT: Final = "/api/v1/namespaces/default/serviceaccounts/default"
OK: Final = 200


class ControlPlane:
    """One control plane on free loopback ports, with data that is thrown away unless `data_dir` is given.

    Args:
        assets: The folder of the binaries; None looks where `make envtest` puts them.
        data_dir: Where etcd, certificates and logs go, kept at the end; None takes a temporary folder.

    Raises:
        MissingBinariesError: `assets` is None and nothing is built yet.
    """

    def __init__(self, assets: Path | None = None, data_dir: Path | None = None) -> None:
        assets = assets or require_binaries()
        self._guard = Guard()
        etcd, peer, api = free_ports(3)
        self.site = Site(assets, data_dir or self._temporary_folder(), etcd, peer, api)
        self.token = secrets.token_hex(16)
        self._etcd = self._server(etcd_command(self.site))
        self._apiserver = self._server(apiserver_command(self.site))
        self._controllers = self._server(controller_manager_command(self.site))

    @property
    def url(self) -> str:
        """The API server's address."""
        return self.site.api_url

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a user who may do everything; there once `start` has returned."""
        return self.site.admin_kubeconfig

    @property
    def certificate(self) -> Path:
        """The authority with which clients check the API server."""
        return self.site.certificate

    def start(self) -> None:
        """Start all servers and wait until they work.

        Raises:
            ControlPlaneError: A server died or did not become ready; the text holds the end of its log.
        """
        atexit.register(self.stop)
        self._write_credentials()
        self._etcd.start()
        self.start_apiserver()
        self.kubeconfig_for_token(self.token, self.kubeconfig)
        self._start_controllers()

    def stop(self) -> None:
        """End all servers and remove the temporary data. A second call does nothing."""
        atexit.unregister(self.stop)
        for server in self._servers():
            server.kill()
        self._guard.close()

    def start_apiserver(self) -> None:
        """Start the API server on its old port and wait until it is ready."""
        self._apiserver.start()
        self._wait("the API server's /readyz", lambda: self.answers("/readyz"))

    def stop_apiserver(self) -> None:
        """Kill the API server, as in an outage: connections are reset and new ones refused. etcd keeps the data."""
        self._apiserver.kill()

    def restart_apiserver(self) -> None:
        """Kill the API server and wait until it is ready again."""
        self.stop_apiserver()
        self.start_apiserver()

    def kubeconfig_for_token(self, token: str, path: Path) -> Path:
        """Write a kubeconfig for whoever the token belongs to, and return its path."""
        return write_private(path, kubeconfig(self.url, self.certificate.read_bytes(), token))

    def check(self) -> None:
        """Make sure that no server has exited by itself.

        Raises:
            ControlPlaneError: One has.
        """
        for server in self._servers():
            server.check()

    def answers(self, path: str) -> bool:
        """Tell whether the API server answers an administrator's GET with 200."""
        with suppress(OSError, http.client.HTTPException):
            context = ssl.create_default_context(cafile=self.certificate)
            connection = http.client.HTTPSConnection(HOST, self.site.api_port, timeout=5, context=context)
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
                return connection.getresponse().status == OK
            finally:
                connection.close()
        return False

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def _temporary_folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="providerswitch-control-plane-")
        self._guard.remove(folder)
        return Path(folder)

    def _server(self, command: list[str]) -> Server:
        return Server(command, self.site.data, self._guard)

    def _servers(self) -> tuple[Server, ...]:
        return (self._controllers, self._apiserver, self._etcd)

    def _write_credentials(self) -> None:
        self.site.data.mkdir(parents=True, exist_ok=True)
        if not self.site.signing_key.exists():
            write_private(self.site.signing_key, signing_key())
        write_private(self.site.tokens, token_line(self.token))

    def _start_controllers(self) -> None:
        """Start the controllers and wait for their first deed; a folder named by the user may come without them."""
        if not (self.site.assets / "kube-controller-manager").exists():
            print("no kube-controller-manager: nothing collects garbage or ends namespaces", file=sys.stderr)
            return
        self._controllers.start()
        self._wait("the default service account", lambda: self.answers(DEFAULT_ACCOUNT))

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not done():
            self.check()
            if time.monotonic() > deadline:
                logs = "\n".join(server.tail() for server in self._servers())
                raise ControlPlaneError(f"waited {READY_SECONDS:.0f} s for {what}\n{logs}")
            time.sleep(POLL_SECONDS)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run a local Kubernetes control plane until Ctrl-C.")
    parser.add_argument("--assets", type=Path, help="folder of the binaries (default: where make envtest puts them)")
    parser.add_argument("--kubeconfig", type=Path, help="also write the administrator's kubeconfig here")
    parser.add_argument("--data-dir", type=Path, help="keep data and logs here (default: a temporary folder, removed)")
    parser.add_argument("--with-parent", action="store_true", help="also end when the process that started it is gone")
    return parser.parse_args()


def serve(options: argparse.Namespace) -> None:
    """Run until a server exits or, if asked to, the parent is gone."""
    parent = os.getppid()
    with ControlPlane(options.assets, options.data_dir) as plane:
        path = options.kubeconfig or plane.kubeconfig
        plane.kubeconfig_for_token(plane.token, path)
        print(f"KUBECONFIG={path}\nready", flush=True)
        while not options.with_parent or os.getppid() == parent:
            plane.check()
            time.sleep(POLL_SECONDS)


def main() -> int:
    """Serve until told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(parse_options())
    except (ControlPlaneError, MissingBinariesError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
