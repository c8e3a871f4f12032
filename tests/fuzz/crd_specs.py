"""Hypothesis strategies that follow the schema of the CRD: specs and statuses that are right, or nearly so."""

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from providerswitch.api.crd import build_crd

Schema = Mapping[str, Any]
MOMENTS: Final = (
    *("2026-01-01T00:00:10Z", "2026-01-01T12:00:00.123456Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59"),
)
NUMBERS: Final = (0, 1, -1, 2, 10, 50, 2**31, 2**63 - 1, -(2**63))
FRACTIONS: Final = (0.0, 0.5, 1.0, -1.0, 1e308, 5e-324)
WORDS: Final = (
    *("", "openai", "backup", "nobody", "a", "A", "-a", "a.b", "a" * 63, "x" * 300, "gpt-4o-mini", "embed", "Ready"),
    *("https://a.example/v1", "http://a.example", "https://u@a.example", "ftp://a", "https://[::1", "https://a?b"),
    *("http://a:99999", "http://\u00e4.example", "https://xn--.example", "/health", "//x", "/ x", "a b", "a\nb"),
    *("30s", "1ms", "0s", "1h30m", "999999999h", "1.5", "24h", "10s", "* * * * *", "0 22 * * 1-5", "61 * * * *"),
    *("UTC", "Europe/Berlin", "Mars/Base", "../etc", "[a-z]+", "(", "\u202e\x1b[31m", "2026-01-01", "Failover"),
)
"""For every string of the API there is one that is right, and several that are not."""


def status_schema() -> Schema:
    """Return the schema of a policy's status."""
    return _root()["status"]  # type: ignore[no-any-return]  # a schema is plain data


def spec_schema() -> Schema:
    """Return the schema of a policy's spec."""
    return _root()["spec"]  # type: ignore[no-any-return]  # the same


def _root() -> Any:
    return build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Return values that have the types a schema names; bounds, patterns and rules are broken now and then."""
    match schema.get("type"):
        case "object":
            return _objects(schema)
        case "array":
            return st.lists(values(schema["items"]), max_size=3)
        case _:
            return _leaves(schema)


def _leaves(schema: Schema) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "integer":
            return st.sampled_from(NUMBERS) | st.integers(schema.get("minimum", 0), schema.get("maximum", 100))
        case "number":
            return st.sampled_from(FRACTIONS) | st.floats(0, 1)
        case "boolean":
            return st.booleans()
        case _:
            return st.sampled_from(MOMENTS if schema.get("format") == "date-time" else WORDS)


def _objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "additionalProperties" in schema:
        return st.dictionaries(st.sampled_from(WORDS), values(schema["additionalProperties"]), max_size=2)
    members = {name: values(member) for name, member in schema.get("properties", {}).items()}
    required = {name: members[name] for name in schema.get("required", ())}
    optional = {name: member for name, member in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)
