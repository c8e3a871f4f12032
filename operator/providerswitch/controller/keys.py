"""The API keys that go into a policy's published Secret."""

from collections.abc import Mapping

from providerswitch.controller.children import Children
from providerswitch.controller.entry import Entry
from providerswitch.kube.client import Object
from providerswitch.kube.objects import SECRETS
from providerswitch.probes.exchange import SecretKey
from providerswitch.publish.metadata import revision_of
from providerswitch.publish.secret import read_keys, same_keys
from providerswitch.publish.targets import TargetKey


def find_keys(entry: Entry, children: Children) -> Mapping[str, SecretKey] | None:
    """Return the keys to publish, by provider; None where no Secret is published.

    A key that cannot be had now is taken from what stands published, if it stands beside the provider's address.
    """
    policy = entry.policy
    assert policy is not None
    if not children.include_secrets or policy.spec.publish.secret is None:
        return None
    own = {name: each.key for name, each in entry.targets.items() if each.key and name not in entry.problems}
    kept = {
        name: SecretKey(key)
        for standing in _standing(entry, children)
        for name, key in read_keys(standing, policy.spec).items()
        if name in entry.problems or name not in entry.targets
    }
    return {**kept, **own}


def _standing(entry: Entry, children: Children) -> list[Object]:
    """Return the published Secrets; what we wrote comes last, because anybody can edit what is seen."""
    assert entry.policy is not None
    seen = {target: children.get(target) or {} for target in children.of(entry.policy.owner)}
    return [obj for target, obj in {**seen, **entry.published}.items() if target.kind == SECRETS.kind]


def was_rotated(bodies: Mapping[TargetKey, Object], children: Children) -> bool:
    """Tell whether the Secret that stands has the present revision and other keys: a source changed meanwhile."""
    pairs = [(body, children.get(target)) for target, body in bodies.items() if target.kind == SECRETS.kind]
    return any(
        seen is not None and revision_of(seen) == revision_of(body) and not same_keys(body, seen)
        for body, seen in pairs
    )
