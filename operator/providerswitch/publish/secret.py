"""The Secret that holds address and API key of the active provider, so that its readers see both change at once."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from providerswitch.api.policy import PolicySpec, Protocol
from providerswitch.api.provider_types import FACTS, OPENAI_KEY_VARIABLES
from providerswitch.kube.client import Object
from providerswitch.kube.objects import SECRETS
from providerswitch.publish.choice import Choice, base_url, environment, prefix_of
from providerswitch.publish.metadata import build_metadata

KEY_SUFFIX: Final = "_API_KEY"
"""Every variable with a key ends like this, and no other does."""
TELLING_LENGTH: Final = 8
"""Characters of a key in a row that are too many to be shown."""
NOT_REPEATED: Final = "what it said is not repeated, because it quotes an API key"


class Sealed(dict[str, str]):
    """The data of a Secret, which cannot be printed by accident: `repr` and `str` tell the names alone."""

    @override
    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: ***" for name in self) + "}"


def build_secret(choice: Choice) -> Object | None:
    """Return the Secret of a choice, or None where the policy asks for none or none may be published."""
    secret = choice.spec.publish.secret
    if secret is None or choice.keys is None:
        return None
    values = {**environment(choice), **_key_variables(choice)}
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": build_metadata(secret.name, choice),
        "type": "Opaque",
        "data": Sealed({name: base64.b64encode(value.encode()).decode() for name, value in values.items()}),
    }


def _key_variables(choice: Choice) -> dict[str, str]:
    """Return each key beside the address it belongs to; a provider without one leaves its variables out."""
    active = _reveal(choice, choice.provider.name)
    keys = {
        prefix_of(None) + KEY_SUFFIX: active,
        **dict.fromkeys(_sdk_key_variables(choice), active),
        **{prefix_of(task) + KEY_SUFFIX: _reveal(choice, each.name) for task, each in choice.tasks.items()},
    }
    return {name: value for name, value in keys.items() if value}


def _reveal(choice: Choice, provider: str) -> str | None:
    key = (choice.keys or {}).get(provider)
    return key.reveal() if key else None


def _sdk_key_variables(choice: Choice) -> tuple[str, ...]:
    if choice.spec.protocol is Protocol.OPENAI:
        return OPENAI_KEY_VARIABLES
    return FACTS[choice.provider.type].native_key_variables


def sealed(obj: Object) -> Object:
    """Return an object whose data cannot be printed by accident, if it is a Secret; others as they are."""
    if obj.get("kind") != SECRETS.kind or not isinstance(obj.get("data"), dict):
        return obj
    return {**obj, "data": Sealed(obj["data"])}


def read_keys(obj: Object, spec: PolicySpec) -> Mapping[str, str]:
    """Return the keys in a published Secret by provider, of those that still have the address beside the key."""
    found = {name: _decode(value) for name, value in (obj.get("data") or {}).items()}
    keys: dict[str, str] = {}
    for prefix in (name.removesuffix(KEY_SUFFIX) for name in found if name.endswith(KEY_SUFFIX)):
        provider = spec.provider(found.get(f"{prefix}_PROVIDER", ""))
        if provider and found.get(f"{prefix}_BASE_URL") == base_url(spec, provider):
            keys[provider.name] = found[prefix + KEY_SUFFIX]
    return {name: key for name, key in keys.items() if key}


def same_keys(one: Object, other: Object) -> bool:
    """Tell whether two Secrets hold the same API keys."""
    return _keys_of(one) == _keys_of(other)


def hide_keys(text: str, obj: Object) -> str:
    """Return what the API server said of an object that was sent to it, unless it quotes an API key in it."""
    if obj.get("kind") != SECRETS.kind:
        return text
    told = (form for value in _keys_of(obj).values() for form in (value, _decode(value)))
    return NOT_REPEATED if any(_is_quoted(each, text) for each in told) else text


def _keys_of(obj: Object) -> dict[str, str]:
    return {name: value for name, value in (obj.get("data") or {}).items() if name.endswith(KEY_SUFFIX)}


def _is_quoted(key: str, text: str) -> bool:
    starts = range(max(1, len(key) - TELLING_LENGTH + 1))
    return bool(key) and any(key[start : start + TELLING_LENGTH] in text for start in starts)


def _decode(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
