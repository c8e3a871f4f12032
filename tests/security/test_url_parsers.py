"""Two parsers read a base URL: one decides whether a key may go there, the other where the request goes.

Where they disagree, a key leaks. So whatever is taken for an official host must be the host that is asked.
"""

from typing import Final

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providerswitch.api.provider_types import FACTS, ProviderTypeName, host_of
from providerswitch.controller.wanted import may_receive_key
from providerswitch.probes.exchange import ProbeRequest
from providerswitch.probes.faults import find_flaw

PIECES: Final = (
    *(
        "/",
        "//",
        "\\",
        "@",
        "#",
        "?",
        ":",
        ";",
        "%2f",
        "%00",
        "%40",
        "%5c",
        "%23",
        "\t",
        "\n",
        "\r",
        " ",
        "\x00",
        "\x7f",
    ),
    *("evil.example", "api.openai.com", "x.openai.azure.com", ".openai.azure.com", "api.jina.ai", "127.0.0.1"),
    *(
        "[",
        "]",
        "[::1]",
        ".",
        "..",
        ":80",
        ":443",
        "user",
        "xn--",
        "\uff0f",
        "\u3002",
        "\uff0e",
        "\uff20",
        "\u24d0pi.openai.com",
    ),
    *("api.openai.com.", "\u0131", "\u017f", "\u212a", "\u200b", "\u00ad", "\u202e"),
)
"""What confuses parsers of URLs, and what attackers want to be taken for."""
SCHEMES: Final = ("https://", "https:/", "https:", "HTTPS://", "http://", "//", " https://", "https:\\\\")
OFFICIAL: Final = tuple(kind for kind, facts in FACTS.items() if facts.official_hosts)

urls = st.builds(
    lambda scheme, parts: scheme + "".join(parts),
    st.sampled_from(SCHEMES),
    st.lists(st.sampled_from(PIECES), max_size=6),
)


def asked_host(url: str) -> str | None:
    """Return the host that a probe goes to; None where none is sent."""
    request = ProbeRequest("GET", "/v1/models")
    try:
        parsed = httpx.URL(url.rstrip("/") + request.path)
        flaw = find_flaw(parsed, request)
    except (httpx.InvalidURL, UnicodeError):
        return None
    return None if flaw else parsed.raw_host.decode().lower()


@given(urls, st.sampled_from(OFFICIAL))
@example("https://evil.example\\@api.openai.com", ProviderTypeName.OPENAI)
@example("https://evil.example\\x.openai.azure.com", ProviderTypeName.AZURE_OPENAI)
@example("https://evil.example#.openai.azure.com", ProviderTypeName.AZURE_OPENAI)
@example("https://api.openai.com:443@evil.example", ProviderTypeName.OPENAI)
def test_what_is_taken_for_an_official_host_is_the_host_that_is_asked(url: str, kind: ProviderTypeName) -> None:
    facts = FACTS[kind]
    native = facts.native_base_url(url)
    if not host_of(native) or not may_receive_key(kind, native, frozenset()):  # the first is refused with its spec
        return
    host = asked_host(native)
    fits = (host == name or (name.startswith(".") and host and host.endswith(name)) for name in facts.official_hosts)
    assert host is None or any(fits)


LISTED: Final = frozenset({"gateway.example", "gateway.example:8443"})


@given(urls.map(lambda url: url.replace("api.openai.com", "gateway.example")))
def test_what_is_taken_for_a_listed_host_is_the_host_that_is_asked(url: str) -> None:
    kind = ProviderTypeName.OPENAI_COMPATIBLE
    native = FACTS[kind].native_base_url(url)
    allowed = host_of(native) != "" and may_receive_key(kind, native, LISTED)
    assert not allowed or asked_host(native) in {None, "gateway.example"}


@pytest.mark.parametrize("kind", OFFICIAL)
def test_the_comparison_is_not_empty_talk(kind: ProviderTypeName) -> None:
    """An ordinary address is official, and asked."""
    official = FACTS[kind].official_hosts[0]
    host = f"x{official}" if official.startswith(".") else official

    assert may_receive_key(kind, f"https://{host}", frozenset())
    assert asked_host(f"https://{host}") == host
