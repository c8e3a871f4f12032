"""Who changed a published object? By the API server's own record of field managers; values play no part."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from providerswitch.api import meta
from providerswitch.kube.client import Object
from providerswitch.publish.metadata import drifted

MOST: Final = 3
"""More names than this help nobody."""
LONGEST_NAME: Final = 128
"""Characters; the API server's own limit for a field manager."""

Path = tuple[str, ...]


def changed_by(desired: Object, seen: Object) -> tuple[str, ...]:
    """Return the managers that own what reads otherwise than it was published, the latest first.

    Empty where nobody owns it: of what was taken out of an object, the API server keeps no record.
    """
    paths = tuple(_differing(desired, seen, ()))
    records = sorted(seen["metadata"].get("managedFields") or [], key=lambda record: str(record.get("time", "")))
    blamed = [
        str(record.get("manager", ""))[:LONGEST_NAME]
        for record in reversed(records)
        if record.get("manager") != meta.FIELD_MANAGER
        and any(_owns(record.get("fieldsV1") or {}, path) for path in paths)
    ]
    return tuple(dict.fromkeys(name for name in blamed if name))[:MOST]


def _differing(desired: Any, seen: Any, path: Path) -> Iterator[Path]:
    """Yield the paths of what differs; a list is one thing."""
    if isinstance(desired, dict) and isinstance(seen, dict):
        for name, value in desired.items():
            yield from _differing(value, seen.get(name), (*path, name))
    elif drifted({"": desired}, {"": seen}):
        yield path


def _owns(fields: Mapping[str, Any], path: Path) -> bool:
    node: Any = fields
    for name in path:
        node = node.get(f"f:{name}") if isinstance(node, dict) else None
        if node is None:
            return False
    return True
