"""What is publicly known about each provider type: addresses, official hosts, SDK variables.

Data only; how a type is probed stands in `probes/providers/`. Sources: the providers' API references and the
environment handling of their official SDKs, read 2026-11 (docs/reference/providers.md lists them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class ProviderTypeName(StrEnum):
    """The provider types a policy may name."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    JINA = "jina"
    AZURE_OPENAI = "azure-openai"
    OPENAI_COMPATIBLE = "openai-compatible"
    VLLM = "vllm"
    OLLAMA = "ollama"
    HTTP = "http"


class Capability(StrEnum):
    """What a provider can do."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    VISION = "vision"
    TOOLS = "tools"
    JSON = "json"
    AUDIO = "audio"


GENERATES: Final = frozenset(
    {Capability.CHAT, Capability.COMPLETIONS, Capability.TOOLS, Capability.JSON, Capability.EMBEDDINGS}
)
"""What a server of open models does with one or another of them; what is rarer has to be said."""
SEES_AND_HEARS: Final = GENERATES | {Capability.VISION, Capability.AUDIO}

EMBEDDING_SIGNS: Final = ("embed", "bge-", "e5-", "gte-")
"""Parts of the names of models that embed and do not chat."""
RERANK_SIGNS: Final = ("rerank",)


def purpose_of(model: str | None) -> frozenset[Capability]:
    """Return what a model is for, as far as its name tells; empty where it tells nothing."""
    name = (model or "").lower()
    if any(sign in name for sign in RERANK_SIGNS):
        return frozenset({Capability.RERANK})
    return frozenset({Capability.EMBEDDINGS}) if any(sign in name for sign in EMBEDDING_SIGNS) else frozenset()


OPENAI_VARIABLES: Final = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
"""Both names are read by clients in the field: the first by openai >= 1, the second by older ones and LangChain."""

OPENAI_KEY_VARIABLES: Final = ("OPENAI_API_KEY",)


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """Addresses and names of one provider type.

    Attributes:
        default_base_url: the native base URL, or None where every installation has its own.
        openai_suffix: appended to the native base URL to reach the OpenAI-compatible API.
        redundant_suffixes: path endings users copy from elsewhere, cut off to get the native base URL.
        official_hosts: hosts a key may be sent to without the Secret owner's consent; a leading dot means "any
            subdomain". Empty: no host is official.
        native_protocol: the wire protocol published as LLM_PROTOCOL under `protocol: native`.
        native_variables: the SDK's own base-URL variables under `protocol: native`.
        native_key_variables: the same SDK's variables for the key; none where its base URL cannot be set, because it
            would send the key of a gateway to the provider.
        capabilities: what it can do with one model or another; None where nobody knows.
    """

    default_base_url: str | None
    openai_suffix: str = ""
    redundant_suffixes: tuple[str, ...] = ()
    official_hosts: tuple[str, ...] = ()
    native_protocol: str = "openai"
    native_variables: tuple[str, ...] = OPENAI_VARIABLES
    native_key_variables: tuple[str, ...] = OPENAI_KEY_VARIABLES
    capabilities: frozenset[Capability] | None = GENERATES

    def native_base_url(self, given: str | None) -> str:
        """Return the base URL without trailing slash and redundant suffix; `given` wins over the default."""
        url = (given or self.default_base_url or "").rstrip("/")
        for suffix in self.redundant_suffixes:
            url = url.removesuffix(suffix)
        return url

    def openai_base_url(self, given: str | None) -> str:
        """Return the base URL of the OpenAI-compatible API."""
        return self.native_base_url(given) + self.openai_suffix

    def is_official(self, url: str) -> bool:
        """Tell whether a key of this type may be sent to `url`: an official host, over TLS."""
        host = host_of(url)
        return url.lower().startswith("https://") and any(
            host.endswith(official) if official.startswith(".") else host == official
            for official in self.official_hosts
        )


def host_of(url: str) -> str:
    """Return the host of a URL in lower case, or "" where there is none that can be called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    return (parts.hostname or "").lower() if port != 0 else ""


FACTS: Final[Mapping[ProviderTypeName, ProviderFacts]] = {
    ProviderTypeName.OPENAI: ProviderFacts(
        "https://api.openai.com/v1", official_hosts=("api.openai.com", ".api.openai.com"), capabilities=SEES_AND_HEARS
    ),
    ProviderTypeName.ANTHROPIC: ProviderFacts(
        "https://api.anthropic.com",
        openai_suffix="/v1",
        redundant_suffixes=("/v1",),
        official_hosts=("api.anthropic.com",),
        native_protocol="anthropic",
        native_variables=("ANTHROPIC_BASE_URL",),
        native_key_variables=("ANTHROPIC_API_KEY",),
        capabilities=frozenset({Capability.CHAT, Capability.VISION, Capability.TOOLS, Capability.JSON}),
    ),
    ProviderTypeName.GOOGLE: ProviderFacts(
        "https://generativelanguage.googleapis.com",
        openai_suffix="/v1beta/openai",
        redundant_suffixes=("/openai", "/v1beta"),
        official_hosts=("generativelanguage.googleapis.com",),
        native_protocol="google",
        native_variables=("GOOGLE_GEMINI_BASE_URL",),
        native_key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        capabilities=SEES_AND_HEARS - {Capability.COMPLETIONS},
    ),
    ProviderTypeName.JINA: ProviderFacts(
        "https://api.jina.ai/v1",
        official_hosts=("api.jina.ai",),
        native_protocol="jina",
        native_variables=(),
        native_key_variables=(),
        capabilities=frozenset({Capability.EMBEDDINGS, Capability.RERANK}),
    ),
    ProviderTypeName.AZURE_OPENAI: ProviderFacts(
        None,
        openai_suffix="/openai/v1",
        redundant_suffixes=("/v1", "/openai"),
        official_hosts=(".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
        native_protocol="azure-openai",
        native_variables=("AZURE_OPENAI_ENDPOINT",),
        native_key_variables=("AZURE_OPENAI_API_KEY",),
        capabilities=SEES_AND_HEARS,
    ),
    ProviderTypeName.OPENAI_COMPATIBLE: ProviderFacts(None),
    ProviderTypeName.VLLM: ProviderFacts(None, openai_suffix="/v1", redundant_suffixes=("/v1",)),
    ProviderTypeName.OLLAMA: ProviderFacts(None, openai_suffix="/v1", redundant_suffixes=("/v1",)),
    ProviderTypeName.HTTP: ProviderFacts(
        None, native_protocol="http", native_variables=(), native_key_variables=(), capabilities=None
    ),
}
"""One entry for each provider type."""
