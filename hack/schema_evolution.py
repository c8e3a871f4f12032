"""Compare two versions of the CustomResourceDefinition, and tell what would break users: `hack/schema_evolution.py`.

Whatever the older release stored must be valid under the newer one, and must mean the same; docs/api-evolution.md has
the rules. Without arguments the newest release in tests/data/releases is compared with crds/.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from typing_extensions import override

ROOT: Final = Path(__file__).resolve().parent.parent
RELEASES: Final = ROOT / "tests" / "data" / "releases"
CURRENT: Final = ROOT / "crds" / "providerswitch.dev_providerswitchpolicies.yaml"

Schema = dict[str, Any]

LOWER_BOUNDS: Final = ("minimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
FIXED: Final = (
    "type",
    "format",
    "pattern",
    "multipleOf",
    "uniqueItems",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "x-kubernetes-int-or-string",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
"""Keywords any change of which may refuse a stored value, or merge it in another way."""
ALLOWANCES: Final = ("nullable", "x-kubernetes-preserve-unknown-fields")
"""Keywords that may be switched on and never off."""
UNLESS_ABSENT: Final = re.compile(r"((?:!has\(self\.[\w.]+\) \|\| )+)[^?]+")
"""A rule that holds wherever one of some fields is absent."""
ABSENT: Final = re.compile(r"!has\(self\.([\w.]+)\)")
UNSET: Final = object()


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that would break users.

    Attributes:
        path: of the field, as users write it; "" for the definition itself.
    """

    path: str
    what: str

    @override
    def __str__(self) -> str:
        """Return a line."""
        return f"{self.path or 'the definition'}: {self.what}"


@dataclass(frozen=True, slots=True)
class Node:
    """A field, before and after."""

    path: str
    old: Schema
    new: Schema


def compare(old: Schema, new: Schema) -> list[Breach]:
    """Return what breaks between two CustomResourceDefinitions, the older one first."""
    before, after = old["spec"], new["spec"]
    found = [*_identity(before, after), *_names(before["names"], after["names"])]
    served = {version["name"]: version for version in after["versions"] if version["served"]}
    for version in before["versions"]:
        if not version["served"]:
            continue
        if version["name"] not in served:
            found.append(Breach("", f"version {version['name']} is no longer served"))
        else:
            found += _version(version, served[version["name"]])
    return found


def _identity(old: Schema, new: Schema) -> Iterator[Breach]:
    for key in ("group", "scope"):
        if old[key] != new[key]:
            yield Breach("", f"{key} changed from {old[key]} to {new[key]}")


def _names(old: Schema, new: Schema) -> Iterator[Breach]:
    for key in ("kind", "plural", "singular", "listKind"):
        if key in old and old[key] != new.get(key):
            yield Breach("", f"names.{key} changed from {old[key]} to {new.get(key)}")
    for key in ("shortNames", "categories"):
        for gone in sorted(set(old.get(key, ())) - set(new.get(key, ()))):
            yield Breach("", f"names.{key} lost {gone}")


def _version(old: Schema, new: Schema) -> Iterator[Breach]:
    for gone in sorted(old.get("subresources", {}).keys() - new.get("subresources", {}).keys()):
        yield Breach("", f"the subresource {gone} is gone")
    kept = [field["jsonPath"] for field in new.get("selectableFields", ())]
    for field in old.get("selectableFields", ()):
        if field["jsonPath"] not in kept:
            yield Breach(field["jsonPath"].lstrip("."), "is no longer selectable")
    yield from _walk(Node("", old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"]))


def _walk(node: Node) -> Iterator[Breach]:
    for check in CHECKS:
        yield from check(node)
    for child in _children(node):
        yield from _walk(child)


def _children(node: Node) -> Iterator[Node]:
    news = node.new.get("properties", {})
    for name, schema in node.old.get("properties", {}).items():
        if name in news:
            yield Node(f"{node.path}.{name}".lstrip("."), schema, news[name])
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(node.old.get(key), dict) and isinstance(node.new.get(key), dict):
            yield Node(f"{node.path}{suffix}", node.old[key], node.new[key])


def _removed(node: Node) -> Iterator[Breach]:
    for name in node.old.get("properties", {}).keys() - node.new.get("properties", {}).keys():
        yield Breach(f"{node.path}.{name}".lstrip("."), "is gone: stored values would be dropped")
    for key, kind in (("items", "list"), ("additionalProperties", "map")):
        if node.old.get(key) and not node.new.get(key):
            yield Breach(node.path, f"is no {kind} of the same kind any more: {key} is gone")


def _required(node: Node) -> Iterator[Breach]:
    """One that has a default is filled in before anybody asks for it."""
    for name in sorted(set(node.new.get("required", ())) - set(node.old.get("required", ()))):
        if "default" not in node.new.get("properties", {}).get(name, {}):
            yield Breach(f"{node.path}.{name}".lstrip("."), "is required now: objects without it would be refused")


def _fixed(node: Node) -> Iterator[Breach]:
    for key in FIXED:
        if node.old.get(key) != node.new.get(key) and not (key == "pattern" and key not in node.new):
            yield Breach(node.path, f"{key} changed from {node.old.get(key)} to {node.new.get(key)}")


def _allowances(node: Node) -> Iterator[Breach]:
    for key in ALLOWANCES:
        if node.old.get(key) and not node.new.get(key):
            yield Breach(node.path, f"{key} is no longer allowed")


def _enum(node: Node) -> Iterator[Breach]:
    if "enum" not in node.new:
        return
    if "enum" not in node.old:
        yield Breach(node.path, f"takes only {', '.join(map(str, node.new['enum']))} now")
    for gone in [value for value in node.old.get("enum", ()) if value not in node.new["enum"]]:
        yield Breach(node.path, f"no longer takes {gone}")


def _bounds(node: Node) -> Iterator[Breach]:
    for keys, narrower in ((LOWER_BOUNDS, _above), (UPPER_BOUNDS, _below)):
        for key in keys:
            if key in node.new and narrower(node.new[key], node.old.get(key)):
                yield Breach(node.path, f"{key} is {node.new[key]} now, was {node.old.get(key, 'not set')}")


def _above(new: float, old: float | None) -> bool:
    return old is None or new > old


def _below(new: float, old: float | None) -> bool:
    return old is None or new < old


def _default(node: Node) -> Iterator[Breach]:
    """Only the operator writes a status, and it leaves nothing to defaults."""
    old, new = node.old.get("default", UNSET), node.new.get("default", UNSET)
    if node.path.split(".")[0] == "status" or old is new or old == new:
        return
    told = ["nothing" if value is UNSET else repr(value) for value in (old, new)]
    yield Breach(node.path, f"default changed from {told[0]} to {told[1]}: what users left out means something else")


def _rules(node: Node) -> Iterator[Breach]:
    """A rule that asks only about a field which is new itself can refuse nothing that is stored."""
    known = {rule["rule"] for rule in node.old.get("x-kubernetes-validations", ())}
    for rule in node.new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in known and not _only_about_new(rule["rule"], node):
            yield Breach(node.path, f"has a rule that it had not: {rule['rule']}")


def _only_about_new(rule: str, node: Node) -> bool:
    found = UNLESS_ABSENT.fullmatch(rule)
    return found is not None and any(_is_new(path.split("."), node) for path in ABSENT.findall(found[1]))


def _is_new(path: list[str], node: Node) -> bool:
    """Tell whether a field is new and has no default, so that no stored object has it."""
    old, new = node.old, node.new
    for name in path[:-1]:
        old, new = old.get("properties", {}).get(name, {}), new["properties"][name]
    return path[-1] not in old.get("properties", {}) and not new["properties"][path[-1]].get("default")


CHECKS: Final[tuple[Callable[[Node], Iterator[Breach]], ...]] = (
    _removed, _required, _fixed, _allowances, _enum, _bounds, _default, _rules,
)  # fmt: skip


def read_definition(path: Path) -> Schema:
    """Read the CustomResourceDefinition of a file."""
    return dict(yaml.safe_load(path.read_text()))


def newest_release() -> Path:
    """Return the CRD of the newest release whose data is kept."""
    return max(RELEASES.glob("*/crd.yaml"), key=lambda path: age(path.parent.name))


def age(version: str) -> tuple[list[int], bool, list[int]]:
    """Return what versions sort by: 0.9.0, 0.10.0-pre.1, 0.10.0."""
    numbers, _, before = version.partition("-")
    return _numbers(numbers), not before, _numbers(before)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def main() -> int:
    """Print what breaks."""
    old, new = map(Path, sys.argv[1:]) if sys.argv[1:] else (newest_release(), CURRENT)
    found = compare(read_definition(old), read_definition(new))
    print("\n".join(map(str, found)) or f"{new} takes all that {old} took")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
