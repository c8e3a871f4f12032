"""What the image starts and what the Deployment asks of it fit together."""

import json
import re
from typing import Any

import yaml
from tests.support.repository import ROOT

from providerswitch.main import build_parser


def instruction(name: str) -> list[str]:
    """Return the arguments of the last such instruction in the Dockerfile."""
    found = re.findall(rf"^{name} (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return list(json.loads(found[-1]))


def container() -> dict[str, Any]:
    """Return the operator's container in the Deployment."""
    documents = yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text())
    deployment = next(entry for entry in documents if entry and entry["kind"] == "Deployment")
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def command(given: dict[str, Any]) -> list[str]:
    """Return what a container runs: its own command and args win over the image's."""
    return [*given.get("command", instruction("ENTRYPOINT")), *given.get("args", instruction("CMD"))]


def test_the_deployment_starts_the_operator() -> None:
    python, dash_m, package, *arguments = command(container())
    assert (python, dash_m, package) == ("python", "-m", "providerswitch")
    assert build_parser().parse_args(arguments).command == "run"


def test_the_image_alone_starts_the_operator() -> None:
    assert build_parser().parse_args(command({})[3:]).command == "run"


def test_the_probes_of_the_deployment_ask_the_port_that_the_operator_listens_on() -> None:
    given = container()
    listening = build_parser().parse_args(["run"]).listen[1]
    ports = {port["name"]: port["containerPort"] for port in given["ports"]}
    asked = [given[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")]
    assert {ports.get(port, port) for port in asked} == {listening}
