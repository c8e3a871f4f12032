"""An API server that keeps every version of the published ConfigMap, so that what stood for a moment is seen, too."""

import json
from typing import Any

from tests.controller.played_cluster import CONFIG_MAP, PlayedApi
from tests.support.virtual_time import elapsed

from providerswitch.kube.client import Object


class KeepingApi(PlayedApi):
    """Rehearsals and refused writes make no version."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[tuple[float, str]] = []

    def store(self, path: str, body: Object) -> Object:
        stored = super().store(path, body)
        if path == CONFIG_MAP:
            self.versions.append((elapsed(), stored["data"]["provider.json"]))
        return stored

    def documents(self, since: float = 0) -> list[dict[str, Any]]:
        """Return provider.json of each version since a second of virtual time, oldest first."""
        return [json.loads(text) for at, text in self.versions if at >= since]
