"""The settings of the endpoint for hints, and how their flags are read."""

import argparse
import re
from dataclasses import dataclass
from typing import Final

from providerswitch.api.fields import DNS_LABEL
from providerswitch.kube.objects import ObjectKey

LABEL: Final = re.compile(DNS_LABEL)


@dataclass(frozen=True, slots=True)
class HintSettings:
    """Where hints are taken, and how.

    Attributes:
        listen: host and port; None for nowhere.
        certificate, key: PEM files.
        insecure: plain HTTP will do.
        service: that leads to the replica that leads; None where there is none.
        pod_ip: of this Pod; only needed with a service.
    """

    listen: tuple[str, int] | None = None
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    service: ObjectKey | None = None
    pod_ip: str = ""


def read_service(text: str) -> ObjectKey | None:
    """Return the Service that a flag names as NAMESPACE/NAME; None where it is empty.

    Raises:
        ArgumentTypeError: it is something else.
    """
    if not text:
        return None
    parts = text.split("/")
    if [bool(LABEL.fullmatch(part)) for part in parts] != [True, True]:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not NAMESPACE/NAME of a Service; write for example providerswitch-system/providerswitch-hints'
        )
    return ObjectKey(*parts)
