"""All provider types that can be probed: one row each."""

from collections.abc import Mapping
from typing import Final

from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.provider_type import ProviderType
from providerswitch.probes.providers.anthropic import ANTHROPIC
from providerswitch.probes.providers.azure_openai import AZURE_OPENAI
from providerswitch.probes.providers.google import GOOGLE
from providerswitch.probes.providers.http import HTTP
from providerswitch.probes.providers.jina import JINA
from providerswitch.probes.providers.ollama import OLLAMA
from providerswitch.probes.providers.openai import OPENAI
from providerswitch.probes.providers.openai_compatible import OPENAI_COMPATIBLE
from providerswitch.probes.providers.vllm import VLLM

ALL: Final = (OPENAI, ANTHROPIC, GOOGLE, JINA, AZURE_OPENAI, OPENAI_COMPATIBLE, VLLM, OLLAMA, HTTP)

REGISTRY: Final[Mapping[ProviderTypeName, ProviderType]] = {kind.name: kind for kind in ALL}
"""By the name that stands in a policy."""
