"""Generate the CustomResourceDefinitions from the models: the one source of the committed YAML in `crds/`.

The API server wants a *structural* schema: no `$ref`, no `anyOf` with null, no titles. Rules across fields are CEL
(see `rules.py`), with bounds on every list and string so that their estimated cost stays inside the budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from providerswitch.api import meta
from providerswitch.api.drill import DrillSpec, DrillStatus
from providerswitch.api.override import OverrideSpec, OverrideStatus
from providerswitch.api.policy import PolicySpec
from providerswitch.api.rules import RULES, duration_rules, shape_rule
from providerswitch.api.status import UNSEEN, PolicyStatus

Schema = dict[str, Any]

DROPPED: Final = frozenset({"title", "x-duration", "propertyNames", "exclusiveMinimum", "$defs", "const", "pattern"})
LIST_MAPS: Final = {
    "spec.providers": "name",
    "spec.schedule": "name",
    "spec.tasks": "name",
    "status.conditions": "type",
    "override:status.conditions": "type",
    "drill:status.conditions": "type",
}
"""Lists that server-side apply merges by key instead of replacing them."""

Columns = tuple[tuple[str, str, str, str], ...]

COLUMNS: Final[Columns] = (
    ("Primary", "string", ".spec.primary", "Preferred provider"),
    ("Active", "string", ".status.activeProvider", "Provider consumers are sent to"),
    (
        "Ready",
        "string",
        '.status.conditions[?(@.type=="Ready")].status',
        "Whether a working provider serves and nothing needs mending",
    ),
    ("FailedOver", "string", '.status.conditions[?(@.type=="FailedOver")].status', "Whether a backup serves"),
    ("Reason", "string", ".status.reason", "Why this provider is active"),
    ("Age", "date", ".metadata.creationTimestamp", ""),
)
WIDE_COLUMNS: Final[Columns] = (
    ("DryRun", "boolean", ".spec.dryRun", "Whether choices are only recorded, not published"),
)
"""What only `kubectl get -o wide` shows."""
OVERRIDE_COLUMNS: Final[Columns] = (
    ("Policy", "string", ".spec.policyRef.name", "The policy it is for"),
    ("Provider", "string", ".spec.provider", "The provider that shall serve"),
    ("State", "string", ".status.state", "Where it stands"),
    ("Expires", "string", ".status.expiresAt", "When it ends by itself"),
    ("Reason", "string", ".spec.reason", "Why it was made"),
    ("Age", "date", ".metadata.creationTimestamp", ""),
)
OVERRIDE_WIDE_COLUMNS: Final[Columns] = (
    ("RequestedBy", "string", ".spec.requestedBy", "Who wants it"),
    ("Message", "string", ".status.message", "What became of it, and what to do"),
)
DRILL_COLUMNS: Final[Columns] = (
    ("Policy", "string", ".spec.policyRef.name", "The policy it is for"),
    ("Fault", "string", ".spec.fault", "What is played"),
    ("State", "string", ".status.state", "Where it stands"),
    ("Failover", "integer", ".status.result.consumerVisibleMillis", "Milliseconds until consumers saw the backup"),
    ("Next", "string", ".status.nextRunAt", "When the schedule begins the next run"),
    ("Age", "date", ".metadata.creationTimestamp", ""),
)


@dataclass(frozen=True, slots=True)
class CustomKind:
    """One kind of the API.

    Attributes:
        root: where its rules are looked up; "" for the policy, whose paths stand for themselves.
        selectable: fields that a field selector may name.
        wide_columns: columns that only `kubectl get -o wide` shows.
    """

    kind: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: Columns
    root: str = ""
    selectable: tuple[str, ...] = ()
    wide_columns: Columns = ()


POLICY: Final = CustomKind(
    meta.POLICY_KIND,
    meta.POLICY_PLURAL,
    meta.POLICY_SHORT,
    "Keeps the workloads of a namespace on a working LLM provider.",
    PolicySpec,
    PolicyStatus,
    COLUMNS,
    selectable=(".spec.primary",),
    wide_columns=WIDE_COLUMNS,
)
OVERRIDE: Final = CustomKind(
    meta.OVERRIDE_KIND,
    meta.OVERRIDE_PLURAL,
    meta.OVERRIDE_SHORT,
    "Puts a provider above the rules of a policy for a while, in an emergency. Never kept in Git.",
    OverrideSpec,
    OverrideStatus,
    OVERRIDE_COLUMNS,
    root="override:",
    selectable=(".spec.policyRef.name",),
    wide_columns=OVERRIDE_WIDE_COLUMNS,
)
DRILL: Final = CustomKind(
    meta.DRILL_KIND,
    meta.DRILL_PLURAL,
    meta.DRILL_SHORT,
    "Rehearses the failure of a provider, for one policy only.",
    DrillSpec,
    DrillStatus,
    DRILL_COLUMNS,
    root="drill:",
    selectable=(".spec.policyRef.name",),
)
KINDS: Final = (POLICY, OVERRIDE, DRILL)


def build_crds() -> tuple[Schema, ...]:
    """Return all CustomResourceDefinitions."""
    return tuple(build_crd(kind) for kind in KINDS)


def build_crd(kind: CustomKind = POLICY) -> Schema:
    """Return the CustomResourceDefinition of one kind."""
    spec = {"group": meta.GROUP, "names": _names(kind), "scope": "Namespaced", "versions": [_version(kind)]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{meta.GROUP}",
            "labels": {"app.kubernetes.io/name": "providerswitch"},
        },
        "spec": spec,
    }


def _names(kind: CustomKind) -> Schema:
    return {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "shortNames": [kind.short],
        "categories": ["providerswitch"],
    }


def _version(kind: CustomKind) -> Schema:
    columns = [_column(*column) for column in kind.columns]
    columns += [{**_column(*column), "priority": 1} for column in kind.wide_columns]
    return {
        "name": meta.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "selectableFields": [{"jsonPath": path} for path in kind.selectable],
        "schema": {"openAPIV3Schema": _root(kind)},
    }


def _column(name: str, kind: str, path: str, description: str) -> Schema:
    column = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "description": description} if description else column


def _root(kind: CustomKind) -> Schema:
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(kind.spec, f"{kind.root}spec"),
            # Without it kstatus, and so Flux, takes an object that no operator has seen yet for finished.
            "status": {
                **structural(kind.status, f"{kind.root}status"),
                "default": {"observedGeneration": UNSEEN},
            },
        },
    }


def structural(model: type[BaseModel], path: str) -> Schema:
    """Return the structural schema of a model; `path` is where its rules are looked up."""
    schema = model.model_json_schema(by_alias=True)
    return _walk(schema, schema.get("$defs", {}), path)


def _walk(node: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    node = _resolve(node, definitions)
    duration = node.get("x-duration")
    if duration:
        return _duration(node, duration)
    out = {key: _one_line(value) for key, value in node.items() if key not in DROPPED}
    if path.rpartition(":")[2].startswith("status"):
        out.pop("default", None)
    _walk_children(out, definitions, path)
    _type_map(out, node, definitions, path)
    _add_list_type(out, path)
    _add_rules(out, node.get("pattern"), path)
    return out


def _add_rules(out: Schema, pattern: str | None, path: str) -> None:
    shape = (shape_rule(pattern),) if pattern else ()
    if rules := (*shape, *RULES.get(path, ())):
        out["x-kubernetes-validations"] = [rule.as_schema() for rule in rules]


def _one_line(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def _resolve(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Follow $ref, and read "X or null" as an X that may be left out."""
    choices = node.get("anyOf", [])
    kept = [choice for choice in choices if choice.get("type") != "null"]
    if choices:
        outer = {key: value for key, value in node.items() if key != "anyOf"}
        node = {**_resolve(kept[0], definitions), **outer}
        if node.get("default", ...) is None:
            del node["default"]
    if "$ref" in node:
        target = _resolve(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return _plain_default(node)


def _plain_default(node: Schema) -> Schema:
    """Let an object's default be {}: the API server then fills in the defaults of its fields one by one."""
    if isinstance(node.get("default"), dict):
        return {**node, "default": {}}
    return node


def _walk_children(out: Schema, definitions: Mapping[str, Schema], path: str) -> None:
    if "properties" in out:
        out["properties"] = {
            name: _walk(child, definitions, f"{path}.{name}") for name, child in out["properties"].items()
        }
    if "items" in out:
        out["items"] = _walk(out["items"], definitions, f"{path}[]")


def _type_map(out: Schema, node: Schema, definitions: Mapping[str, Schema], path: str) -> None:
    """A map: pydantic tells the value's schema as additional or pattern properties."""
    values = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
    out.pop("patternProperties", None)
    out.pop("additionalProperties", None)
    if isinstance(values, dict):
        out.pop("default", None)
        out["additionalProperties"] = _walk(values, definitions, f"{path}.*")


def _add_list_type(out: Schema, path: str) -> None:
    if out.get("type") != "array":
        return
    key = LIST_MAPS.get(path)
    out["x-kubernetes-list-type"] = "map" if key else "atomic"
    if key:
        out["x-kubernetes-list-map-keys"] = [key]


def _duration(node: Schema, bounds: list[str]) -> Schema:
    rules = [rule.as_schema() for rule in duration_rules(*bounds)]
    kept: Schema = {key: _one_line(node[key]) for key in ("default", "description") if key in node}
    return {"type": "string", "maxLength": 32, **kept, "x-kubernetes-validations": rules}
