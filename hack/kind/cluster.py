"""A kind cluster for the tests: Kubernetes with real nodes, in containers. Needs a Docker engine.

python hack/kind/cluster.py up --kubernetes 1.36     # the last line printed is its kubeconfig
python hack/kind/cluster.py load providerswitch:dev
python hack/kind/cluster.py down
"""

import argparse
import subprocess
import sys
from typing import Final

from nodes import NEWEST, NODES
from tool import HACK, MissingToolError, require_tool

CLUSTER: Final = "providerswitch"
KUBECONFIG: Final = HACK.parent / "build" / "kind" / "kubeconfig"
LOGS: Final = KUBECONFIG.parent / "logs"
WAIT: Final = "180s"


class KindError(RuntimeError):
    """kind or Docker failed; the text says what to do."""


def kind(*arguments: str) -> str:
    """Run kind and return what it printed; what it tells about its progress goes to stderr.

    Raises:
        KindError: It failed.
    """
    command = [str(require_tool("kind")), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise KindError(f"kind {' '.join(arguments[:2])} failed. Does `docker info` work here?")
    return done.stdout


def up(kubernetes: str) -> None:
    """Make the cluster, unless it is there and of this version."""
    if CLUSTER in kind("get", "clusters").split():
        refuse_another_version(kubernetes)
        KUBECONFIG.parent.mkdir(parents=True, exist_ok=True)
        kind("export", "kubeconfig", "--name", CLUSTER, "--kubeconfig", str(KUBECONFIG))
    else:
        create(kubernetes)
    print(KUBECONFIG)


def create(kubernetes: str) -> None:
    """Make the cluster."""
    KUBECONFIG.parent.mkdir(parents=True, exist_ok=True)
    named = ("--name", CLUSTER, "--kubeconfig", str(KUBECONFIG))
    kind("create", "cluster", *named, "--image", NODES[kubernetes], "--wait", WAIT)


def refuse_another_version(kubernetes: str) -> None:
    """Make sure that the node that is there runs the image of this version.

    Raises:
        KindError: It runs another one.
    """
    command = ["docker", "inspect", "--format", "{{.Config.Image}}", f"{CLUSTER}-control-plane"]
    image = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if image != NODES[kubernetes]:
        raise KindError(f"the cluster {CLUSTER} runs {image}, not Kubernetes {kubernetes}: run make kind-down first")


def down() -> None:
    """Delete the cluster; no cluster is none to delete."""
    kind("delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(KUBECONFIG))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Make, fill and delete the kind cluster of the tests.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("up", help="make it, unless it is there; print its kubeconfig")
    making.add_argument("--kubernetes", choices=sorted(NODES), default=NEWEST, help=f"default: {NEWEST}")
    verbs.add_parser("load", help="put an image onto its nodes").add_argument("image")
    verbs.add_parser("logs", help="collect what nodes and Pods say")
    verbs.add_parser("down", help="delete it")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says."""
    options = parse_options()
    try:
        match options.verb:
            case "up":
                up(options.kubernetes)
            case "load":
                kind("load", "docker-image", options.image, "--name", CLUSTER)
            case "logs":
                kind("export", "logs", str(LOGS), "--name", CLUSTER)
            case _:
                down()
    except (KindError, MissingToolError, OSError) as error:
        print(f"hack/kind/cluster.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
