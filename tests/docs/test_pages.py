"""What is written by hand is true: links, targets, policies, tables that repeat what the code says."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import ARCHITECTURE, FENCE, HEADING, PAGES, Block, blocks, name_of, prose, rows, section, words
from tests.publish.choices import AUTH, choose_one
from tests.support.repository import ROOT

from providerswitch.api import meta
from providerswitch.api.crd import build_crd
from providerswitch.api.health import ALIVE, NETWORK, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.api.policy import PolicySpec
from providerswitch.api.provider_types import FACTS, OPENAI_VARIABLES
from providerswitch.controller.handlers import NoDiffBase, build_kopf_settings
from providerswitch.core.decide import PRECEDENCE
from providerswitch.core.health import ENDS_BY_ITSELF
from providerswitch.publish.choice import environment

from reference.markdown import anchor  # isort: skip  # tests.support.repository puts hack/ on the path

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MAKE = re.compile(r"(?:^|`)make ([a-z0-9][\w%-]*)", re.MULTILINE)
TARGET = re.compile(r"^([a-z0-9%-]+(?: [a-z0-9%-]+)*):", re.MULTILINE)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = ROOT / "README.md"
ADRS = sorted((ROOT / "docs" / "adr").glob("0*.md"))


def links(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        if "://" not in link and not link.startswith("mailto:"):
            yield link


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not fragment or fragment in {anchor(title) for title in HEADING.findall(prose(target))}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text()
    return {name for line in TARGET.findall(text) for name in line.split()}


def can_be_made(name: str) -> bool:
    if name.startswith("bench-"):
        return name == "bench-NAME" or (ROOT / "bench" / f"{name.removeprefix('bench-')}.py").exists()
    return name in targets()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_is_named_is_there(page: Path) -> None:
    assert [name for name in MAKE.findall(page.read_text()) if not can_be_made(name)] == []


OTHERS = (ROOT / "SECURITY.md", ROOT / "charts" / "providerswitch" / "README.md")
"""Pages outside of docs/ that are linked like those."""


def linked_from(page: Path) -> set[Path]:
    targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
    return {target for target in targets if target.suffix == ".md"}


def test_every_page_is_two_clicks_from_the_readme_or_the_guide() -> None:
    near = {README, ROOT / "docs" / "guide.md"}
    for _ in range(2):
        near |= {target for page in near for target in linked_from(page)}
    assert {name_of(page) for page in (*PAGES, *OTHERS)} - {name_of(page) for page in near} == set()


@pytest.mark.parametrize("page", OTHERS, ids=name_of)
def test_links_of_pages_outside_of_docs_lead_somewhere_too(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def test_every_make_target_is_described_for_developers() -> None:
    table = section(ROOT / "docs" / "development.md", "Targets")
    described = {word.removeprefix("make ") for row in rows(table) for cell in row for word in words(cell)}
    rules = {"help", "bench-%", "bench-selection", "bench-reliability"}
    files = {name for name in targets() if "/" in name or "." in name}
    assert targets() - files - rules - described == set()


def test_the_order_of_make_test_is_told() -> None:
    told = re.search(r"^test: ([a-z0-9 ]+?) *##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told
    assert f"`{told[1]}`, in this order" in section(ROOT / "docs" / "development.md", "Targets")


def test_make_targets_are_found_in_text_and_in_blocks() -> None:
    assert {"demo", "test", "image"} <= set(MAKE.findall(README.read_text()))


def documents(block: Block) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(block.text) if document]


def paths(tree: object, path: str = "") -> Iterator[str]:
    """Yield the path of every key."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield f"{path}.{key}"
            yield from paths(value, f"{path}.{key}")
    if isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from paths(value, f"{path}[{number}]")


def place(value: object) -> str:
    """Name a parametrized test by its page alone."""
    return name_of(value) if isinstance(value, Path) else ""


SHOWN = [(block.page, document) for block in blocks("yaml") for document in documents(block)]
POLICIES = [(page, document) for page, document in SHOWN if document.get("kind") == meta.POLICY_KIND]
FRAGMENTS = [(page, document) for page, document in SHOWN if set(document) == {"spec"}]


@pytest.mark.parametrize(("page", "policy"), POLICIES, ids=place)
def test_every_policy_that_is_shown_is_valid_and_has_no_unknown_field(page: Path, policy: dict[str, Any]) -> None:
    assert policy["apiVersion"] == meta.API_VERSION
    read = PolicySpec.model_validate(policy["spec"]).model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert sorted(paths(policy["spec"])) == sorted(paths(read)), name_of(page)


def test_the_readme_and_the_guide_show_a_policy() -> None:
    assert {name_of(page) for page, _ in POLICIES} >= {"README.md", "docs/guide.md"}


@pytest.mark.parametrize(("page", "fragment"), FRAGMENTS, ids=place)
def test_every_part_of_a_policy_that_is_shown_has_only_known_fields(page: Path, fragment: dict[str, Any]) -> None:
    node = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    smallest = {"primary": "a", "providers": [{"name": "a", "type": "openai"}]}
    PolicySpec.model_validate({**smallest, **fragment["spec"]})
    assert list(unknown(fragment, node)) == [], name_of(page)


def unknown(tree: object, node: dict[str, Any]) -> Iterator[str]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        child = node.get("properties", {}).get(key)
        if child is None:
            yield key
        else:
            yield from unknown(value, child)


def test_the_layers_of_the_architecture_are_those_of_the_contract() -> None:
    contract = next(entry for entry in PYPROJECT["tool"]["importlinter"]["contracts"] if entry["type"] == "layers")
    drawn = [words(row[0]) for row in rows(section(ARCHITECTURE, "Rooms and layers"))]
    assert drawn == [layer.split(" | ") for layer in contract["layers"]]


def groups() -> dict[str, set[str]]:
    return {row[0]: set(words(row[1])) for row in rows(section(ARCHITECTURE, "Health classes and what they do"))}


def test_the_groups_of_health_classes_are_those_of_the_code() -> None:
    settled = {HealthClass.CONFIG_INVALID, HealthClass.RATE_LIMITED, HealthClass.UNKNOWN}
    assert groups() == {
        "alive": set(ALIVE),
        "confirmed": set(TRIPS_WHEN_CONFIRMED),
        "at once": {*TRIPS_AT_ONCE, HealthClass.CONFIG_INVALID},
        "suspends": {HealthClass.RATE_LIMITED},
        "nothing": {HealthClass.UNKNOWN},
        "counts": set(HealthClass) - ALIVE - TRIPS_WHEN_CONFIRMED - TRIPS_AT_ONCE - settled,
    }


def test_the_network_classes_and_those_without_a_blacklist_are_named() -> None:
    text = " ".join(section(ARCHITECTURE, "Health classes and what they do").split())
    network = re.search(r"\. ((?:`\w+`,? ?(?:and )?)+) are also the network classes", text)
    mended = re.search(r"\. ((?:`\w+` ?(?:and )?)+) lead to no blacklist", text)
    assert network
    assert mended
    assert set(words(network[1])) == set(NETWORK)
    assert set(words(mended[1])) == set(ENDS_BY_ITSELF)


def test_the_rules_of_choice_are_told_in_the_order_in_which_they_are_asked() -> None:
    told = [words(row[0])[0] for row in rows(section(ARCHITECTURE, "Rules of choice"))]
    assert told == [rule.__name__ for rule in PRECEDENCE]


@pytest.mark.parametrize("row", rows(section(ARCHITECTURE, "kopf settings")), ids=lambda row: row[0])
def test_a_kopf_setting_has_the_value_that_is_explained(row: list[str]) -> None:
    value: Any = build_kopf_settings()
    for name in words(row[0])[0].split("."):
        value = getattr(value, name)
    told = words(row[1])[0].replace("logging.CRITICAL", "50")
    assert value == eval(told, {"NoDiffBase": NoDiffBase})


def test_every_kopf_setting_that_is_made_is_explained() -> None:
    source = (ROOT / "operator" / "providerswitch" / "controller" / "handlers.py").read_text()
    made = set(re.findall(r"settings\.([\w.]+) = ", source))
    assert made == {words(row[0])[0] for row in rows(section(ARCHITECTURE, "kopf settings"))}


def test_the_readme_lists_every_key_that_is_published() -> None:
    spelled = {name for name in environment(choose_one(auth=AUTH, model="gpt-4o-mini")) if name.startswith("LLM_")}
    variables = {variable for facts in FACTS.values() for variable in facts.native_variables}
    told = {word for row in rows(section(README, "What a consumer reads")) for word in words(row[0])}
    assert told == {*spelled, *variables, *OPENAI_VARIABLES, "provider.json"}


def test_the_changelog_has_the_version_of_this_release() -> None:
    assert f"## [{PYPROJECT['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_license_is_the_one_that_the_package_names() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("record", ADRS, ids=lambda path: path.stem)
def test_a_decision_record_is_complete_listed_and_one_page(record: Path) -> None:
    text = record.read_text()
    assert HEADING.findall(text)[1:] == ["Context", "Options", "Decision", "Consequences"]
    assert re.match(rf"# {int(record.stem[:4])}\. ", text)
    assert f"({record.name})" in (record.parent / "README.md").read_text()
    assert len(text.splitlines()) <= 60


def test_decision_records_are_numbered_without_a_gap() -> None:
    assert [int(record.stem[:4]) for record in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("page", [page for page in PAGES if "reference" not in page.parts], ids=name_of)
def test_lines_fit_into_a_terminal(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    assert [line for line in text.splitlines() if len(line) > 130 and not line.startswith("|")] == []


FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|yaml|md|toml|svg|txt|jsonl?))`")
IN_THE_PACKAGE = ROOT / "operator" / "providerswitch"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = FILE.findall(prose(page))
    assert [name for name in named if not (ROOT / name).exists() and not (IN_THE_PACKAGE / name).exists()] == []
