"""What the CRD's schema refuses, read from the schema itself: the list that tests must cover."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

SENTENCES = {
    "minLength": "should be at least {} chars long",
    "maxLength": "Too long: may not be more than {} bytes",
    "minimum": "should be greater than or equal to {}",
    "maximum": "should be less than or equal to {}",
    "minItems": "should have at least {} items",
    "maxItems": "must have at most {} items",
    "maxProperties": "must have at most {} items",
}
"""How the API server words a bound."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing the API server refuses: where, and what it says.

    Attributes:
        path: As in the schema: `[]` is any entry of a list, `.*` any key of a map.
        says: Part of the message.
    """

    path: str
    says: str

    @classmethod
    def of(cls, rule: Schema, path: str) -> "Bound":
        """Return what an entry of x-kubernetes-validations refuses: its message, or the longest literal in it."""
        literals: list[str] = re.findall(r"'([^']*)'", rule.get("messageExpression", ""))
        return cls(path + rule.get("fieldPath", ""), rule.get("message") or max(literals, key=len))

    def is_told_by(self, line: str) -> bool:
        """Tell whether a line of kubectl's answer is about this bound."""
        return self.says in line and re.search(rf"(^|\s){self._place()}: ", line) is not None

    def _place(self) -> str:
        return re.escape(self.path).replace(r"\[\]", r"\[\d+\]").replace(r"\.\*", r"[.\[][\w-]+\]?")


def find_bounds(node: Schema, path: str) -> Iterator[Bound]:
    """Yield everything that a schema node and the nodes below it refuse."""
    for keyword, sentence in SENTENCES.items():
        if keyword in node:
            yield Bound(path, sentence.format(_printed(node[keyword], node)))
    if "enum" in node:
        yield Bound(path, "Unsupported value")
    for name in node.get("required", ()):
        yield Bound(f"{path}.{name}", "Required value")
    if node.get("x-kubernetes-list-type") == "map":
        yield Bound(f"{path}[]", "Duplicate value")
    for rule in node.get("x-kubernetes-validations", ()):
        yield Bound.of(rule, path)
    for name, child in children(node):
        yield from find_bounds(child, path + name)


def _printed(limit: float, node: Schema) -> str:
    """Write a limit as Go does: of a number that may be fractional, a million is 1e+06."""
    return f"{limit:g}" if node.get("type") == "number" else str(limit)


def children(node: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the nodes below a node, with what they add to its path."""
    for name, child in node.get("properties", {}).items():
        yield f".{name}", child
    if "items" in node:
        yield "[]", node["items"]
    if "additionalProperties" in node:
        yield ".*", node["additionalProperties"]
