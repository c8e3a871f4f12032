"""docs/reference/providers.md: what is known about each provider type, and how it is probed.

The requests shown are those that the provider types build, for a key and a model that stand for the user's.
"""

import importlib
import re
from collections.abc import Callable
from typing import Final

from providerswitch.api.provider_types import FACTS, OPENAI_VARIABLES, ProviderFacts, ProviderTypeName
from providerswitch.probes import openai_dialect
from providerswitch.probes.exchange import ProbeRequest, Question, SecretKey
from providerswitch.probes.registry import REGISTRY
from reference.markdown import bullets, code, codes, page, section, table

KEY: Final = "KEY"
MODEL: Final = "MODEL"
WITH_KEY: Final = Question(SecretKey(KEY), MODEL, None, {})
WITHOUT_KEY: Final = Question(None, MODEL, None, {})
WITHOUT_MODEL: Final = Question(SecretKey(KEY), None, None, {})

SOURCE: Final = re.compile(r"\s*Source: (?P<text>.*)", re.DOTALL)
Build = Callable[[Question], ProbeRequest]


def build_providers_page() -> str:
    """Return the page."""
    return page(
        "Provider types",
        "operator/providerswitch/api/provider_types.py and probes/providers",
        "A probe sends `headers` of the provider too. `KEY` and `MODEL` stand for the provider's own. A provider"
        " without `auth` is probed for liveness only: an answer that asks for a key counts as alive. Error bodies are"
        " read before the status, because providers use 400 for a bad key, 429 for an empty account and 200 with an"
        " error inside.",
        table(("type", "default base URL", "LLM_BASE_URL by default"), [_overview(name) for name in ProviderTypeName]),
        f"Under `protocol: openai` the base URL is also published as {codes(OPENAI_VARIABLES)}.",
        *(_type(name) for name in ProviderTypeName),
        section("Sources", bullets(_sources())),
    )


def _overview(name: ProviderTypeName) -> tuple[str, ...]:
    facts = FACTS[name]
    if facts.default_base_url is None:
        return f"[{name}](#{name})", "none, `baseURL` is required", ""
    return f"[{name}](#{name})", code(facts.default_base_url), code(facts.openai_base_url(None))


def _type(name: ProviderTypeName) -> str:
    facts = FACTS[name]
    prose, _ = told(name)
    return section(name, prose, table(("", ""), _facts(facts)), table(("probe", "request"), _probes(name, facts)))


def _facts(facts: ProviderFacts) -> list[tuple[str, str]]:
    base = "`baseURL`"
    published = f"{base}, then `{facts.openai_suffix}`" if facts.openai_suffix else base
    hosts = ", ".join(
        f"any subdomain of {code(host[1:])}" if host[0] == "." else code(host) for host in facts.official_hosts
    )
    return [
        ("`LLM_BASE_URL`, `protocol: openai`", published),
        ("`LLM_BASE_URL`, `protocol: native`", base),
        ("`LLM_PROTOCOL`, `protocol: native`", code(facts.native_protocol)),
        ("SDK variables, `protocol: native`", codes(facts.native_variables) or "none"),
        ("cut off the end of `baseURL`", codes(facts.redundant_suffixes) or "nothing"),
        ("official hosts, over https", hosts or "none: the Secret's annotation has to list the host"),
    ]  # fmt: skip


def _probes(name: ProviderTypeName, facts: ProviderFacts) -> list[tuple[str, str]]:
    kind, root = REGISTRY[name], facts.default_base_url or "BASE_URL"
    keyed, bare = (_line(kind.unbilled_probe, question, root) for question in (WITH_KEY, WITHOUT_KEY))
    rows = [("unbilled, with a key", keyed), ("unbilled, without a key", bare)]
    if kind.generation_probe is None:
        return [*rows, ("generation", "none: this type generates nothing")]
    rows.append(("generation (billed)", _line(kind.generation_probe, WITH_KEY, root)))
    return [*rows, ("generation, without `model`", _line(kind.generation_probe, WITHOUT_MODEL, root))]


def _line(build: Build, question: Question, root: str) -> str:
    request = build(question)
    headers = "".join(f" `{header}: {value}`" for header, value in sorted(request.headers.items()))
    body = f" `{request.body.decode()}`" if request.body else ""
    return f"`{request.method} {root}{request.path}`{headers}{body}"


def told(name: ProviderTypeName) -> tuple[str, str]:
    """Return what the module of a type says: its prose, and its source ("" where it names none)."""
    module = importlib.import_module(f"providerswitch.probes.providers.{name.replace('-', '_')}")
    return _split(module.__doc__ or "")


def _split(docstring: str) -> tuple[str, str]:
    found = SOURCE.search(docstring)
    prose = docstring[: found.start()] if found else docstring
    return prose.strip(), " ".join(found["text"].split()) if found else ""


def _sources() -> list[str]:
    named = [(name, told(name)[1]) for name in ProviderTypeName]
    shared = ("all that speak OpenAI's API", _split(openai_dialect.__doc__ or "")[1])
    return [f"{name}: {text}" for name, text in (*named, shared) if text]
