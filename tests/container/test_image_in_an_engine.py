"""The image, built and run by a real engine. Where there is none these are skipped; test_rootfs.py runs everywhere."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from tests.container.engine import Engine, Image, copy_context, find_engine

from providerswitch import __version__

EPOCH = 1_700_000_000
MOST_MEGABYTES = 190
"""Unpacked; about 150 were measured. kubernetes' client and Python itself are two thirds of it."""
ARGUMENTS = ("VERSION=1.2.3", "REVISION=abcdef", "CREATED=2026-11-24T00:00:00Z", "SOURCE=https://git.example/x")
OPTIONS = (*(f"--build-arg={each}" for each in ARGUMENTS), f"--build-arg=SOURCE_DATE_EPOCH={EPOCH}")
ABSENT = {"pip", "ensurepip", "setuptools", "test", "tests", "docs", "charts", "idlelib", "sh", "bash", "busybox"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_context(tmp_path_factory.mktemp("build") / "context")


@pytest.fixture(scope="module")
def image(engine: Engine, context: Path) -> Iterator[Image]:
    name = engine.build(context, *OPTIONS)
    yield Image(engine, name)
    engine("rmi", "--force", name)


@pytest.fixture(scope="module")
def names(image: Image, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The mode of each file, by path."""
    return {each.name: each.mode for each in image.files(tmp_path_factory.mktemp("export"))}


def test_it_tells_its_version_with_no_network_no_capability_and_a_read_only_root(image: Image) -> None:
    result = image.run("--version")

    assert (result.returncode, result.stdout, result.stderr) == (0, f"providerswitch {__version__}\n", "")


def test_it_classifies_what_it_reads(image: Image) -> None:
    answer = {"provider": "openai", "status": 401, "headers": {}, "body": '{"error": {"code": "invalid_api_key"}}'}

    result = image.run("classify", stdin=json.dumps(answer) + "\n")

    assert json.loads(result.stdout)["class"] == "AuthInvalid", result.stderr


def test_it_runs_as_65532_and_holds_no_capability(image: Image) -> None:
    look = "import os; print(os.getuid(), os.getgid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])"

    assert image.run("-c", look, program="python").stdout.split() == ["65532", "65532", "0000000000000000"]


def test_it_cannot_write_to_its_root(image: Image) -> None:
    assert "Read-only file system" in image.run("-c", "open('/tmp/x', 'w')", program="python").stderr


def test_it_knows_time_zones_names_of_hosts_and_public_authorities(image: Image) -> None:
    look = """
import socket, ssl, zoneinfo, re2
print(zoneinfo.ZoneInfo("Europe/Berlin"), socket.gethostbyname("localhost"))
print(ssl.create_default_context().cert_store_stats()["x509_ca"] > 50)
"""
    assert image.run("-c", look, program="python").stdout == "Europe/Berlin 127.0.0.1\nTrue\n"


def test_there_is_no_shell_to_start(image: Image) -> None:
    assert "not found" in image.run("-c", "id", program="sh").stderr


def test_no_file_changes_the_user(names: dict[str, int]) -> None:
    assert [name for name, mode in names.items() if mode & 0o6000] == []


def test_no_tool_test_or_document_is_in_it(names: dict[str, int]) -> None:
    assert [name for name in names if ABSENT & set(PurePath(name).parts)] == []


def test_everything_the_operator_starts_with_is_compiled(names: dict[str, int]) -> None:
    sources = {name for name in names if name.endswith(".py") and "/providerswitch/controller/" in name}
    compiled = {name.split(".cpython-")[0].replace("__pycache__/", "") + ".py" for name in names if ".cpython-" in name}

    assert sources
    assert sources <= compiled


def test_scanners_find_the_packages_it_is_made_of(names: dict[str, int]) -> None:
    packages = {PurePath(name).name for name in names if name.startswith("var/lib/dpkg/status.d/")}

    assert any(name.startswith("libc6") for name in packages)
    assert any(name.startswith("libssl") for name in packages)


def test_its_labels_tell_what_it_is(image: Image) -> None:
    prefix = "org.opencontainers.image."
    labels = {name.removeprefix(prefix): text for name, text in image.inspect()["Config"]["Labels"].items()}

    assert labels == {
        "title": "providerswitch",
        "description": "Kubernetes operator that keeps every workload on a working LLM provider",
        "licenses": "Apache-2.0",
        "version": "1.2.3",
        "revision": "abcdef",
        "created": "2026-11-24T00:00:00Z",
        "source": "https://git.example/x",
    }


def test_it_is_small(image: Image) -> None:
    assert image.inspect()["Size"] / 1e6 < MOST_MEGABYTES


def test_a_second_build_gives_the_same_layers(image: Image, engine: Engine, context: Path) -> None:
    again = Image(engine, engine.build(context, *OPTIONS, "--no-cache"))

    assert again.inspect()["RootFS"]["Layers"] == image.inspect()["RootFS"]["Layers"]
