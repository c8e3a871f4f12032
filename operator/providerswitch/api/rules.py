"""The CEL rules of the CRD: what the API server itself refuses, and the sentence the user then reads.

All failing rules of an object are reported together, so each message stands alone. Message expressions concatenate and
pick one element: one that joins a list over providers exceeds the API server's cost budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from providerswitch.api.fields import (
    CRON,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    HEADER_NAME,
    ONE_LINE,
    SECRET_KEY,
    TIME_ZONE,
    URL_PATH,
)
from providerswitch.api.provider import RESERVED_HEADERS
from providerswitch.api.provider_types import FACTS

DURATION: Final = r"^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$"
ABSURD_DURATION: Final = r"(^|[a-z])([0-9]{7,}(\.[0-9]+)?h|[0-9]{9})"
"""Beyond what duration() can hold. Asked besides the bounds, because CEL's && then answers false instead of failing."""


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
UNKNOWN_BACKUP: Final = "self.backups.filter(b, !self.providers.exists(p, p.name == b))[0]"
REPEATED_BACKUP: Final = "self.backups.filter(b, !self.backups.exists_one(c, c == b))[0]"
PARSED: Final = "isURL(self) && url(self)"
STRAY_SCHEDULE: Final = "self.schedule.filter(e, has(e.primary) && !self.providers.exists(p, p.name == e.primary))[0]"
STRAY_TASK: Final = "self.tasks.filter(t, has(t.primary) && !self.providers.exists(p, p.name == t.primary))[0]"
NOT_LISTED: Final = "'\" is not the name of a listed provider: add it to providers, or correct the name'"


def _url_rules(field: str, example: str) -> tuple[Rule, Rule]:
    return (
        Rule(
            f"{PARSED}.getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
            f"{field} must be an http or https URL with a host, such as {example}",
        ),
        Rule(
            "!self.contains('@') && !self.contains('?') && !self.contains('#')",
            f"{field} may hold no user name, query or fragment: leave them out"
            + ("; a key goes into a Secret that auth refers to" if field == "baseURL" else ""),
        ),
    )


WEIGHTS_COUNT: Final = Rule(
    "!has(self.latency) || self.latency + self.accuracy + self.cost + self.availability > 0.0",
    "at least one weight must be more than 0: a score needs something to count",
)

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "spec": (
        Rule(
            "self.providers.exists(p, p.name == self.primary)",
            f"'primary \"' + self.primary + {NOT_LISTED}",
            ".primary",
            computed=True,
        ),
        Rule(
            "!has(self.backups) || self.backups.all(b, self.providers.exists(p, p.name == b))",
            f"'\"' + {UNKNOWN_BACKUP} + {NOT_LISTED}",
            ".backups",
            computed=True,
        ),
        Rule(
            "!has(self.backups) || self.backups.all(b, self.backups.exists_one(c, c == b))",
            f"'\"' + {REPEATED_BACKUP} + '\" may stand only once: remove the others'",
            ".backups",
            computed=True,
        ),
        Rule(
            "!has(self.schedule) || self.schedule.all(e, !has(e.primary) || self.providers.exists(p, p.name =="
            " e.primary))",
            f"'primary \"' + {STRAY_SCHEDULE}.primary + {NOT_LISTED}",
            ".schedule",
            computed=True,
        ),
        Rule(
            "!has(self.tasks) || self.tasks.all(t, !has(t.primary) || self.providers.exists(p, p.name == t.primary))",
            f"'primary \"' + {STRAY_TASK}.primary + {NOT_LISTED}",
            ".tasks",
            computed=True,
        ),
        Rule(
            "!has(self.publish) || !has(self.publish.secret) || self.providers.all(p, !has(p.auth) ||"
            " p.auth.secretKeyRef.name != self.publish.secret.name)",
            "'\"' + self.publish.secret.name + '\" holds the key of a provider (auth): choose another name for the"
            " Secret to publish'",
            ".publish.secret.name",
            computed=True,
        ),
    ),
    "spec.providers[]": (
        Rule(
            f"has(self.baseURL) || !(self.type in {NEED_ADDRESS})",
            "'type \"' + self.type + '\" has no default address: set baseURL'",
            computed=True,
        ),
    ),
    "spec.providers[].baseURL": _url_rules("baseURL", "https://api.openai.com/v1"),
    "spec.providers[].statusPage": _url_rules("statusPage", "https://status.openai.com"),
    "spec.selection.metricsSource.prometheus.url": _url_rules("url", "http://prometheus.monitoring:9090"),
    "spec.selection.metricsSource.prometheus.queries": (
        Rule(
            "has(self.responseTime) || has(self.errorRate) || has(self.availability) || has(self.throughput)",
            "set at least one query: a source that is asked nothing says nothing",
        ),
    ),
    "spec.selection.weights": (WEIGHTS_COUNT,),
    "spec.tasks[].weights": (WEIGHTS_COUNT,),
    "spec.schedule[]": (
        Rule(
            "[has(self.primary), has(self.strategy), has(self.rotate) && self.rotate].filter(set, set).size() == 1",
            "set exactly one of primary, strategy and rotate: true",
        ),
        Rule(
            "(has(self.rotate) && self.rotate) != has(self.duration)",
            "set duration, the time it lasts, beside primary or strategy; leave it out beside rotate: true, which lasts"
            " until its next turn",
            ".duration",
        ),
    ),
    "spec.qualityChecks.prompts[].expect": (
        Rule(
            "has(self.contains) || has(self.regex) || has(self.embeddingNear) || (has(self.json) && self.json)",
            "set at least one of contains, regex, json: true and embeddingNear: without one, any answer is good",
        ),
    ),
    "spec.providers[].models": (
        Rule(
            f"self.all(task, size(task) <= 63 && task.matches(r'{DNS_LABEL}'))",
            "the name of a task is at most 63 lower-case letters, digits and hyphens, with a letter or digit at both"
            " ends",
        ),
    ),
    "spec.providers[].headers": (
        Rule(
            f"self.all(name, !(name.lowerAscii() in {RESERVED}))",
            "headers may not set credentials or routing (authorization, x-api-key, api-key, x-goog-api-key, host,"
            " cookie): use auth for a key",
        ),
        Rule(
            f"self.all(name, size(name) <= 63 && name.matches('{HEADER_NAME}'))",
            "a header name is at most 63 letters, digits and hyphens",
        ),
    ),
    "override:spec": (
        Rule(
            "self == oldSelf",
            "an override is not edited: create another one, the newest holds; or delete this one to end it early",
        ),
    ),
    "drill:spec": (
        Rule(
            "has(self.schedule) || self == oldSelf",
            "a drill without a schedule runs once and is not edited: create another one",
        ),
    ),
}
"""Rules by the path of the schema node they stand at; paths of other kinds than the policy begin with their root."""

SHAPES: Final[Mapping[str, str]] = {
    DNS_LABEL: "use lower-case letters, digits and hyphens, with a letter or digit at both ends",
    DNS_SUBDOMAIN: "use lower-case letters, digits, hyphens and dots, with a letter or digit at both ends and beside"
    " each dot",
    SECRET_KEY: "use letters, digits, hyphens, underscores and dots",
    URL_PATH: "begin with a slash and leave out white space, such as /health",
    CRON: "write the five fields of a crontab with one space between them, such as 0 22 * * 1-5",
    TIME_ZONE: "write the IANA name of a time zone, such as Europe/Berlin",
    ONE_LINE: "write one line of more than blanks, without tabs and other control characters",
}
"""What a user reads instead of a regular expression that did not match."""


def shape_rule(pattern: str) -> Rule:
    """Return the rule that stands in for a JSON schema `pattern`, whose message would be the expression itself."""
    return Rule(_matches(pattern), SHAPES[pattern])


def duration_rules(low: str, high: str) -> tuple[Rule, Rule]:
    """Return the rules of a duration between `low` and `high`, inclusive."""
    within = f"duration(self) >= duration('{low}') && duration(self) <= duration('{high}')"
    return (
        Rule(_matches(DURATION), "write a number and a unit (ms, s, m, h), such as 30s or 1m30s"),
        Rule(
            f"!{_matches(DURATION)} || ({within} && !{_matches(ABSURD_DURATION)})",
            f"must be between {low} and {high}",
        ),
    )


def _matches(pattern: str) -> str:
    return f"self.matches(r'{pattern}')"
