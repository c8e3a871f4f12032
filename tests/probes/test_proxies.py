"""What HTTPS_PROXY, HTTP_PROXY and NO_PROXY mean, and that no password of theirs gets out."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.errors import UserError
from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding
from providerswitch.probes.proxies import DIRECT, Proxy, read_proxies

PROXY = Proxy("http", "proxy.test", 3128)
OTHER = Proxy("http", "other.test", 80)
TARGET = httpx.URL("https://api.provider.test/v1")
PASSWORD = "tr0ub4dor"


def way(url: str, no_proxy: str) -> Proxy | None:
    return read_proxies({"HTTPS_PROXY": "proxy.test:3128", "NO_PROXY": no_proxy}).between(httpx.URL(url))


URLS = {
    "http://proxy.test:3128": PROXY,
    "http://proxy.test:3128/": PROXY,
    "  proxy.test:3128 ": PROXY,
    "HTTP://proxy.test:3128": PROXY,
    "http://other.test": OTHER,
    "https://proxy.test": Proxy("https", "proxy.test", 443),
    "http://10.0.0.1:8080": Proxy("http", "10.0.0.1", 8080),
    "http://[fd00::1]:8080": Proxy("http", "fd00::1", 8080),
    "http://me:secret@proxy.test:3128": Proxy("http", "proxy.test", 3128, ("me", "secret")),
    "me:secret@proxy.test:3128": Proxy("http", "proxy.test", 3128, ("me", "secret")),
    "http://me:p%40%3A%2F@proxy.test:3128": Proxy("http", "proxy.test", 3128, ("me", "p@:/")),
    "http://me:p@ss@proxy.test:3128": Proxy("http", "proxy.test", 3128, ("me", "p@ss")),
    "http://me@proxy.test:3128": Proxy("http", "proxy.test", 3128, ("me", "")),
}


@pytest.mark.parametrize("text", URLS)
def test_a_proxy_is_read_from_its_url(text: str) -> None:
    assert read_proxies({"HTTPS_PROXY": text}).between(TARGET) == URLS[text]


@pytest.mark.parametrize(
    "text",
    [
        f"socks5://me:{PASSWORD}@proxy.test:1080",
        f"http://me:{PASSWORD}@",
        f"http://me:{PASSWORD}@proxy.test:99999",
        f"http://me:{PASSWORD}@proxy.test:0",
        f"http://me:{PASSWORD}@proxy.test:port",
        f"http://me:12#{PASSWORD}@proxy.test:3128",
        f"http://me:12/{PASSWORD}@proxy.test:3128",
        f"http://me:12?{PASSWORD}@proxy.test:3128",
        f"http://me:{PASSWORD}@proxy.test:3128/path",
        f"http://me:{PASSWORD}\x00@proxy.test",
        f"http://{PASSWORD} .test",
        "http://",
        "://",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy"])
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable_and_never_quoted(variable: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_proxies({variable: text})
    assert caught.value.reason == "BadProxy"
    assert caught.value.message.startswith(f"{variable} is not the URL of a proxy that can be used. Write http://")
    assert PASSWORD not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_password_is_not_in_the_repr() -> None:
    proxies = read_proxies({"HTTPS_PROXY": f"http://me:{PASSWORD}@proxy.test:3128"})
    assert PASSWORD not in repr(proxies)
    assert PASSWORD not in str(proxies.between(TARGET))


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_environment_is_read_or_refused_in_one_line(proxy: str, no_proxy: str) -> None:
    try:
        read_proxies({"HTTPS_PROXY": proxy, "NO_PROXY": no_proxy}).between(TARGET)
    except UserError as error:
        assert len(error.message.splitlines()) == 1  # noqa: PT017  # raised or not, both are right


def test_each_scheme_has_its_own_proxy() -> None:
    proxies = read_proxies({"HTTPS_PROXY": "proxy.test:3128", "http_proxy": "other.test"})
    assert proxies.between(httpx.URL("https://a.test")) == PROXY
    assert proxies.between(httpx.URL("http://a.test")) == OTHER


def test_without_variables_all_ways_are_direct() -> None:
    assert read_proxies({}).between(TARGET) is None
    assert read_proxies({"HTTPS_PROXY": "", "https_proxy": " "}).between(TARGET) is None
    assert read_proxies({"HTTP_PROXY": "proxy.test:3128", "ALL_PROXY": "proxy.test:3128"}).between(TARGET) is None
    assert DIRECT.between(TARGET) is None


def test_upper_case_wins_and_an_empty_variable_counts_as_unset() -> None:
    assert read_proxies({"HTTPS_PROXY": "proxy.test:3128", "https_proxy": "other.test"}).between(TARGET) == PROXY
    assert read_proxies({"HTTPS_PROXY": "", "https_proxy": "other.test"}).between(TARGET) == OTHER
    assert read_proxies({"https_proxy": "other.test", "no_proxy": "provider.test"}).between(TARGET) is None


DIRECTLY = [
    ("*", "https://a.test"),
    ("a.test", "https://a.test"),
    ("a.test", "https://deep.down.a.test"),
    ("A.Test", "https://a.TEST."),
    ("a.test.", "https://a.test"),
    (".a.test", "https://b.a.test"),
    ("*.a.test", "https://b.a.test"),
    (".svc, .cluster.local", "https://vllm.team.svc:8000"),
    ("x.test,,a.test", "https://a.test"),
    ("a.test:8443", "https://a.test:8443"),
    ("a.test:443", "https://a.test"),
    ("10.1.2.3", "https://10.1.2.3"),
    ("10.1.2.3:8443", "https://10.1.2.3:8443"),
    ("10.0.0.0/8", "https://10.1.2.3"),
    ("10.9.9.9/8", "https://10.1.2.3"),
    ("fd00::/8", "https://[fd00::1]"),
    ("[fd00::1]", "https://[fd00::1]"),
    ("fd00::1", "https://[fd00:0::1]"),
    ("[fd00::1]:8443", "https://[fd00::1]:8443"),
    ("", "https://localhost:1"),
    ("", "https://127.0.0.1"),
    ("", "https://[::1]"),
]
THROUGH = [
    ("", "https://a.test"),
    ("a.test", "https://nota.test"),
    ("a.test", "https://a.test.evil.test"),
    (".a.test", "https://a.test"),
    ("*.a.test", "https://a.test"),
    ("a.test:8443", "https://a.test"),
    ("10.1.2.3", "https://10.1.2.4"),
    ("10.0.0.0/8", "https://11.0.0.1"),
    ("10.0.0.0/8", "https://10.test"),
    ("10.1.2.3:8443", "https://10.1.2.3"),
    ("[fd00::1]:8443", "https://[fd00::1]"),
]


@pytest.mark.parametrize(("no_proxy", "url"), DIRECTLY)
def test_what_no_proxy_names_and_loopback_are_reached_directly(no_proxy: str, url: str) -> None:
    assert way(url, no_proxy) is None


@pytest.mark.parametrize(("no_proxy", "url"), THROUGH)
def test_what_no_proxy_does_not_name_goes_through_the_proxy(no_proxy: str, url: str) -> None:
    assert way(url, no_proxy) == PROXY


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "http://a.test", "a.test:port", ".", "*a*", "a b"])
def test_an_entry_of_no_proxy_that_cannot_be_understood_is_refused(entry: str) -> None:
    with pytest.raises(UserError) as caught:
        way("https://a.test", f"b.test,{entry}")
    assert caught.value.message.startswith(f'NO_PROXY: "{entry}" is neither a host')


@pytest.mark.parametrize("entry", [f"http://me:{PASSWORD}@proxy.test", f"{PASSWORD}\x1b[2J", f"{PASSWORD}\r{PASSWORD}"])
def test_an_entry_of_no_proxy_is_quoted_only_where_that_is_harmless(entry: str) -> None:
    with pytest.raises(UserError) as caught:
        way("https://a.test", entry)
    assert caught.value.message.startswith("NO_PROXY: an entry is neither a host")
    assert PASSWORD not in caught.value.message


def test_no_proxy_without_a_proxy_says_nothing() -> None:
    assert read_proxies({"NO_PROXY": "http://a.test"}).between(TARGET) is None


def test_a_fault_of_the_proxy_keeps_a_class_of_the_network_and_is_unknown_otherwise() -> None:
    refused = Finding(HealthClass.CONNECT_REFUSED, "connection refused")
    assert PROXY.explain(refused) == Finding(
        HealthClass.CONNECT_REFUSED, "the proxy at proxy.test:3128: connection refused"
    )
    assert PROXY.explain(Finding(HealthClass.PROTOCOL, "x")).health_class is HealthClass.UNKNOWN
    assert Proxy("http", "fd00::1", 80).place == "[fd00::1]:80"
