"""Operators that take turns to lead, at one API server, in virtual time."""

from tests.controller.played_cluster import NAMESPACE, POLICY, Cluster, PlayedApi, policy
from tests.support.policies import AT_ONCE

from providerswitch.api import meta
from providerswitch.controller.registry import UNLIMITED
from providerswitch.controller.term import Term
from providerswitch.core.limits import Limits
from providerswitch.kube.client import Object

PATH = f"/apis/{meta.API_VERSION}/namespaces/{NAMESPACE}/{meta.POLICY_PLURAL}/{POLICY}"
PROMPT = {"healthCheck": {"interval": "10s", "fastInterval": "1s", "timeout": "5s"}, "failover": AT_ONCE}


class SharedApi(PlayedApi):
    """One of several doors to the same objects: whoever writes gives them a version above all others."""

    def store(self, path: str, body: Object) -> Object:
        versions = (int(obj["metadata"].get("resourceVersion", 0)) for obj in self.objects.values())
        self.version = max((self.version, *versions))
        return super().store(path, body)


def replica(
    objects: dict[str, Object], *names: str, limits: Limits = UNLIMITED, **spec: object
) -> tuple[Cluster, Term]:
    """Return an operator that stands by, at an API server with these objects, and its next term."""
    cluster = Cluster(api=SharedApi(), limits=limits)
    cluster.api.objects = objects
    term = cluster.operator.build_term()
    term.end()
    cluster.start()
    cluster.operator.overrides.follow()
    objects[PATH] = policy(*names, **{**PROMPT, **spec})
    cluster.put(objects[PATH])
    return cluster, term
