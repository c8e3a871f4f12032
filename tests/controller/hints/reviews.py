"""An API server that reviews tokens and rights as a test says, and counts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.reviews import ACCESS_REVIEWS, TOKEN_REVIEWS

AUDIENCE = "providerswitch.dev"


@dataclass
class PlayedReviews(KubeClient):
    """Knows tokens and rights.

    Attributes:
        owners: user name of each good token.
        rights: user, namespace and policy of each hint that may be given.
        seconds: how long a review takes.
        trouble: status to refuse all with; 0 for no answer, None for no trouble.
        asked: path and spec of each review.
    """

    owners: dict[str, str] = field(default_factory=dict)
    rights: set[tuple[str, str, str]] = field(default_factory=set)
    seconds: float = 0.0
    trouble: int | None = None
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def request(  # type: ignore[override]  # what the others are for is not asked here
        self, method: str, path: str, *, what: str, body: Any, **_: object
    ) -> Object:
        self.asked.append((path, body["spec"]))
        await asyncio.sleep(self.seconds)
        if self.trouble is not None:
            raise ApiServerError(what, self.trouble or None, "played trouble")
        assert method == "POST"
        return {"status": {TOKEN_REVIEWS: self._whose, ACCESS_REVIEWS: self._may}[path](body["spec"])}

    def _whose(self, spec: Mapping[str, Any]) -> Object:
        name = self.owners.get(spec["token"])
        if name is None or spec["audiences"] != [AUDIENCE]:
            return {"authenticated": False, "error": f"no such token: {spec['token']}"}
        extra = {"authentication.kubernetes.io/pod-name": ["app-0"]}
        user = {"username": name, "uid": f"uid-of-{name}", "groups": ["system:authenticated"], "extra": extra}
        return {"authenticated": True, "user": user, "audiences": [AUDIENCE]}

    def _may(self, spec: Mapping[str, Any]) -> Object:
        about = spec["resourceAttributes"]
        return {"allowed": (spec["user"], about["namespace"], about["name"]) in self.rights}

    def count(self, path: str) -> int:
        """Return how many reviews of a kind were asked for."""
        return sum(each == path for each, _ in self.asked)
