"""Coverage-guided fuzzing of what reads a policy, its status and what is published: `make fuzz FUZZ=policies`.

Needs atheris, which has an environment of its own; arguments go to libFuzzer.
"""

import json
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["providerswitch"]):
    from providerswitch.controller.policy import Policy, parse_policy, parse_status
    from providerswitch.controller.wanted import find_mistakes, secrets_of, want
    from providerswitch.core.memory import restore_memory
    from providerswitch.publish.choice import read_publication

METADATA = {"name": "p", "namespace": "team-a", "uid": "u", "generation": 1, "resourceVersion": "1"}


def try_one(data: bytes) -> None:
    """Take in one document as spec, as status and as published; an exception is a find."""
    text = data.decode("utf-8", "replace")
    read_publication(text)
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    restore_memory(parse_status({"metadata": METADATA, "status": document}))
    parsed = parse_policy({"metadata": METADATA, "spec": document})
    if isinstance(parsed, Policy):
        want(parsed.spec, "team-a", dict.fromkeys(secrets_of(parsed.spec, "team-a")))
        find_mistakes(parsed.spec)


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
