"""docs/reference/policy.md, override.md, drill.md: every field, from the definitions that the models generate."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from providerswitch.api import meta
from providerswitch.api.crd import POLICY, CustomKind, build_crd
from reference.markdown import anchor, bullets, code, codes, page, section, table

Schema = dict[str, Any]

INTERPOLATION: Final = re.compile(r"'\s*\+\s*(?:(?!\s\+\s').)+\s*\+\s*'")
"""A part of a CEL message expression that is computed from the object."""

BOUNDS: Final = (
    ("minimum", "maximum", "{}"),
    ("minLength", "maxLength", "{} characters"),
    ("minItems", "maxItems", "{} entries"),
    ("minProperties", "maxProperties", "{} entries"),
)

ANNOTATIONS: Final = {
    meta.FAILBACK_ANNOTATION: (
        "on a policy: a new value asks once for the return to the primary. Any text will do; a time is usual"
    ),
    meta.HOSTS_ANNOTATION: (
        "on a Secret: comma-separated hosts (`host` or `host:port`) that its keys may be sent to, besides the official"
        " hosts of the provider's type"
    ),
    meta.PUBLISH_ANNOTATION: (
        'on a Secret: `"true"` lets policies copy its keys into the Secret of their `publish.secret`'
    ),
    meta.ADOPT_ANNOTATION: (
        'on a ConfigMap, Service or Secret without an owner: `"true"` hands it over to the policy that publishes under'
        " its name"
    ),
    meta.REVISION_ANNOTATION: "on published objects, written by the operator: the revision that the object carries",
}
LABELS: Final = {
    meta.MANAGED_BY_LABEL: f"`{meta.FIELD_MANAGER}` on every published object",
    meta.POLICY_LABEL: "the policy's name (its first 63 characters) on every published object",
}


def build_policy_page() -> str:
    """Return the page of the policy, which also has the annotations and labels."""
    return build_kind_page(
        POLICY,
        section("Annotations", table(("annotation", "meaning"), _coded(ANNOTATIONS))),
        section("Labels", table(("label", "value"), _coded(LABELS))),
    )


def build_kind_page(kind: CustomKind, *sections: str) -> str:
    """Return the page of one kind, with further sections at its end."""
    root = build_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    columns = [(name.upper(), code(path)) for name, _, path, _ in kind.columns]
    return page(
        kind.kind,
        "the models in operator/providerswitch/api",
        f"API version `{meta.API_VERSION}`, kind `{kind.kind}`, short name `{kind.short}`, namespaced. "
        f"`kubectl explain {kind.short}.spec` tells the same. kubectl and the API server refuse unknown fields"
        " and values out of bounds; [conditions.md](conditions.md) tells what the operator itself finds fault with.",
        "Fields in **bold** are required. A duration is a number and a unit (`ms`, `s`, `m`, `h`), such as `30s` or"
        " `1m30s`.",
        *_objects("spec", root["spec"]),
        *_objects("status", root["status"]),
        section("Columns of kubectl get", table(("column", "from"), columns)),
        *sections,
    )


def _coded(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(code(name), text) for name, text in texts.items()]


def _objects(path: str, node: Schema) -> Iterator[str]:
    """Yield a section for an object and for each object below it."""
    required = node.get("required", ())
    rows = [_row(path, name, child, required=name in required) for name, child in node["properties"].items()]
    rules = [code_free(rule) for rule in node.get("x-kubernetes-validations", ())]
    refused = "Refused, besides what the table says:\n\n" + bullets(rules) if rules else ""
    headings = ("field", "type", "default", "bounds", "meaning")
    yield section(path, node.get("description", ""), table(headings, rows), refused)
    for name, child in node["properties"].items():
        inner, suffix = _entry(child)
        if "properties" in inner:
            yield from _objects(f"{path}.{name}{suffix}", inner)


def _entry(node: Schema) -> tuple[Schema, str]:
    return (node["items"], "[]") if "items" in node else (node, "")


def _row(path: str, name: str, node: Schema, *, required: bool) -> tuple[str, ...]:
    shown = f"**{name}**" if required else name
    return (shown, _type(f"{path}.{name}", node), _default(node), "; ".join(_bounds(node)), node.get("description", ""))


def _type(path: str, node: Schema) -> str:
    inner, suffix = _entry(node)
    plural = "list of " if suffix else ""
    if "properties" in inner:
        return f"{plural}[object](#{anchor(path + suffix)})"
    if "additionalProperties" in node:
        return "map of string to string"
    if _is_duration(inner):
        return "duration"
    return plural + str(inner.get("format", inner["type"]))


def _is_duration(node: Schema) -> bool:
    return any("duration(self)" in rule["rule"] for rule in node.get("x-kubernetes-validations", ()))


def _default(node: Schema) -> str:
    default = node.get("default")
    return code(str(default)) if default not in (None, {}, []) else ""


def _bounds(node: Schema) -> Iterator[str]:
    """Yield what the API server asks of a value, entries of a list and values of a map included."""
    if _is_duration(node):
        yield code_free(node["x-kubernetes-validations"][-1])
        return
    for low, high, unit in BOUNDS:
        if low in node or high in node:
            yield unit.format(_span(node.get(low), node.get(high)))
    if "enum" in node:
        yield "one of " + codes(node["enum"])
    if "properties" not in node:
        yield from (code_free(rule) for rule in node.get("x-kubernetes-validations", ()))
    for inner in (node.get("items"), node.get("additionalProperties")):
        if inner and "properties" not in inner:
            yield from (f"each {bound}" for bound in _bounds(inner))


def _span(low: int | None, high: int | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"{low} to {high}" if high is not None else f"at least {low}"


def code_free(rule: Schema) -> str:
    """Return the sentence of a CEL rule; what it fills in from the object is an ellipsis."""
    text = rule.get("message") or INTERPOLATION.sub("…", rule["messageExpression"]).strip("'")
    return text.replace("<", "&lt;")
