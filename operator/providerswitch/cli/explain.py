"""Explain the choice of a policy: who is active and why, who was rejected and until when, and what comes next.

Reads one policy or a List of them, as YAML or JSON, from FILE or standard input:

    kubectl get pswitch chat -o yaml | providerswitch explain

Exit codes: 0, all are explained; 1, a policy has no status yet; 2, something could not be read as a policy.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TextIO

import yaml
from pydantic import ValidationError

from providerswitch.api import meta
from providerswitch.api.status import UNSEEN, PolicyStatus
from providerswitch.cli.terminal import clean, render
from providerswitch.controller.policy import Policy, parse_policy
from providerswitch.core.sections import Section, Seen
from providerswitch.core.view import build_view

HOW: Final = f'Give it what "kubectl get {meta.POLICY_SHORT} NAME -o yaml" prints.'
STANDARD_INPUT: Final = "-"


class Output(StrEnum):
    """How an explanation is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why something is not explained: a sentence with what to do, and the exit code."""

    what: str
    code: int = 2


@dataclass(frozen=True, slots=True)
class Explanation:
    """One policy explained."""

    name: str
    namespace: str
    sections: tuple[Section, ...]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", nargs="?", default=STANDARD_INPUT, metavar="FILE", help="default: standard input")
    parser.add_argument("-o", "--output", type=Output, choices=list(Output), default=Output.TEXT, help="text or json")


def run(
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    *,
    now: datetime,
    path: str = STANDARD_INPUT,
    output: Output = Output.TEXT,
) -> int:
    """Explain all policies that can be; complain of the others. Return the exit code, the gravest one."""
    place = "standard input" if path == STANDARD_INPUT else path
    found = [explain(item, now) for item in read_objects(stdin, path)]
    flaws = [each for each in found if isinstance(each, Flaw)]
    for flaw in flaws:
        print(f"{place}: {clean(flaw.what)}", file=stderr)
    _print([each for each in found if isinstance(each, Explanation)], stdout, output)
    return max((flaw.code for flaw in flaws), default=0)


def _print(explanations: list[Explanation], stdout: TextIO, output: Output) -> None:
    if output is Output.JSON:
        print(json.dumps({"policies": [asdict(each) for each in explanations]}, indent=2), file=stdout)
        return
    for place, each in enumerate(explanations):
        where = f' in namespace "{each.namespace}"' if each.namespace else ""
        print("\n" * bool(place) + clean(f'Policy "{each.name}"{where}'), file=stdout)
        print("\n".join(render(each.sections)), file=stdout)


def read_objects(stdin: TextIO, path: str) -> list[object]:
    """Return the objects of a file, those of Lists one by one, and a `Flaw` where one cannot be read."""
    try:
        text = stdin.read() if path == STANDARD_INPUT else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        return [Flaw(f"cannot be read ({error.strerror}). {HOW}")]
    except UnicodeDecodeError:
        return [Flaw(f"is not UTF-8 text. {HOW}")]
    documents = read_documents(text)
    if isinstance(documents, Flaw):
        return [documents]
    return [item for document in documents if document is not None for item in _items(document)] or [
        Flaw(f"holds no policy. {HOW}")
    ]


def read_documents(text: str) -> list[object] | Flaw:
    """Parse JSON or YAML, of which there may be several documents."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        pass  # most YAML is no JSON
    try:
        return list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Flaw(f"{f'line {mark.line + 1} is' if mark else 'is'} neither YAML nor JSON. {HOW}")
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that does not exist
        return Flaw(f"is neither YAML nor JSON. {HOW}")


def _items(document: object) -> Iterator[object]:
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        items = document.get("items")
        yield from items if isinstance(items, list) else [Flaw(f'the List has no "items". {HOW}')]
    else:
        yield document


def explain(found: object, now: datetime) -> Explanation | Flaw:
    """Return the explanation of an object that was read."""
    if isinstance(found, Flaw):
        return found
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        return Flaw(f"is not a Kubernetes object. {HOW}")
    if found.get("kind") != meta.POLICY_KIND or not str(found.get("apiVersion")).startswith(f"{meta.GROUP}/"):
        return Flaw(f"{_name(found)} is not a {meta.POLICY_KIND} of {meta.GROUP}. {HOW}")
    policy = parse_policy({**found, "metadata": _complete(found["metadata"])})
    if not isinstance(policy, Policy):
        return Flaw(f"{_name(found)} has a spec that cannot be read: {policy.message}")
    return _explain(policy, found, now)


def _explain(policy: Policy, found: Mapping[str, Any], now: datetime) -> Explanation | Flaw:
    try:
        status = PolicyStatus.model_validate(found.get("status") or {})
    except ValidationError as error:
        place = ".".join(map(str, ("status", *error.errors(include_input=False)[0]["loc"])))
        return Flaw(f"{_name(found)} has a status that cannot be read, at {place}. {HOW}")
    if status.observed_generation in {None, UNSEEN}:
        return Flaw(
            f"{_name(found)} has no status yet. If that lasts, the operator does not run, or does not serve its "
            "namespace: see the operator's log.",
            code=1,
        )
    try:
        sections = build_view(Seen(policy.spec, status, now, policy.generation))
    except OverflowError:
        return Flaw(f"{_name(found)} has a status with an impossible time or number. {HOW}")
    return Explanation(policy.key.name, policy.key.namespace, sections)


def _name(found: Mapping[str, Any]) -> str:
    """Return kind and name as kubectl writes them."""
    metadata = found["metadata"]
    namespace = f' in namespace "{metadata["namespace"]}"' if metadata.get("namespace") else ""
    return f'{found.get("kind")} "{metadata.get("name")}"{namespace}'


def _complete(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with all that the operator reads; in a file that people share, some was taken out."""
    kept = {"name": "", "namespace": "", "uid": "", "generation": 0, "resourceVersion": ""}
    given = {name: metadata[name] for name in kept if isinstance(metadata.get(name), type(kept[name]))}
    return {**kept, **given}
