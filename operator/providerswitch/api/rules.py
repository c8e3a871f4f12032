"""The CEL rules of the CRD: what the API server itself refuses, and the sentence the user then reads.

All failing rules of an object are reported together, so each message stands alone. Message expressions only
concatenate: one with a list comprehension over providers exceeds the API server's cost budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from providerswitch.api.policy import RESERVED_HEADERS
from providerswitch.api.provider_types import FACTS

DURATION_PATTERN: Final = r"^([0-9]+(\\.[0-9]+)?(h|m|s|ms))+$"


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule.

    Attributes:
        expression: CEL with `self`; true accepts.
        message: literal text, or a CEL expression where `computed`.
        field_path: the field below the rule's place that the message points at.
    """

    expression: str
    message: str
    field_path: str | None = None
    computed: bool = False

    def as_schema(self) -> dict[str, Any]:
        """Return the entry for x-kubernetes-validations."""
        text = {"messageExpression" if self.computed else "message": self.message}
        place = {"fieldPath": self.field_path} if self.field_path else {}
        return {"rule": self.expression, **text, "reason": "FieldValueInvalid", **place}


def _quoted(names: list[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


NEED_ADDRESS: Final = _quoted(sorted(name.value for name, facts in FACTS.items() if facts.default_base_url is None))
RESERVED: Final = _quoted(sorted(RESERVED_HEADERS))
PARSED: Final = "isURL(self) && url(self)"

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "spec": (
        Rule(
            "self.providers.exists(p, p.name == self.primary)",
            "'primary \"' + self.primary + '\" is not the name of a listed provider: add it to providers, or correct"
            " the name'",
            ".primary",
            computed=True,
        ),
        Rule(
            "!has(self.backups) || self.backups.all(b, self.providers.exists(p, p.name == b))",
            "each of backups must be the name of a listed provider: add it to providers, or correct the name",
            ".backups",
        ),
        Rule(
            "!has(self.backups) || self.backups.all(b, self.backups.exists_one(c, c == b))",
            "a provider may stand only once in backups",
            ".backups",
        ),
    ),
    "spec.providers[]": (
        Rule(
            f"has(self.baseURL) || !(self.type in {NEED_ADDRESS})",
            "'type \"' + self.type + '\" has no default address: set baseURL'",
            computed=True,
        ),
    ),
    "spec.providers[].baseURL": (
        Rule(
            f"{PARSED}.getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
            "baseURL must be an http or https URL with a host, such as https://api.openai.com/v1",
        ),
        Rule(
            "!self.contains('@') && !self.contains('?') && !self.contains('#')",
            "baseURL may hold no user name, query or fragment: put a key into a Secret and refer to it with auth",
        ),
    ),
    "spec.providers[].headers": (
        Rule(
            f"self.all(name, !(name.lowerAscii() in {RESERVED}))",
            "headers may not set credentials or routing (authorization, x-api-key, api-key, x-goog-api-key, host,"
            " cookie): use auth for a key",
        ),
        Rule(
            "self.all(name, size(name) <= 63 && name.matches('^[A-Za-z0-9-]+$'))",
            "a header name is at most 63 letters, digits and hyphens",
        ),
    ),
}
"""Rules by the path of the schema node they stand at."""


def duration_rules(low: str, high: str) -> tuple[Rule, Rule]:
    """Return the rules of a duration between `low` and `high`, inclusive."""
    shape = f"self.matches('{DURATION_PATTERN}')"
    return (
        Rule(shape, "write a number and a unit (ms, s, m, h), such as 30s or 1m30s"),
        Rule(
            f"!{shape} || (duration(self) >= duration('{low}') && duration(self) <= duration('{high}'))",
            f"must be between {low} and {high}",
        ),
    )
