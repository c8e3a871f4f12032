"""The public CI calls what is there, on what the documents promise, with no more rights than it needs."""

import json
import re
from pathlib import Path

import pytest
from tests.docs.pages import rows, section, words
from tests.support.repository import ROOT, addresses
from tests.workflows.pipelines import FILES, commands, jobs, read, steps

import nodes  # isort: skip  # tests.workflows.conftest puts hack/kind on the path

MAKE = re.compile(r"^make ([a-z][\w-]*)", re.MULTILINE)
SCRIPT = re.compile(r"(?:^|[\s\"(])((?:hack|\.ci)/[\w./-]+)")
TARGET = re.compile(r"^([a-z][\w -]*):", re.MULTILINE)
PINNED = re.compile(r"uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
RELEASE, INSTALL = ROOT / "docs" / "release.md", ROOT / "docs" / "install.md"


def made() -> set[str]:
    return {name for line in TARGET.findall((ROOT / "Makefile").read_text()) for name in line.split()}


def test_commands_are_found() -> None:
    assert {"e2e", "smoke", "image", "scan", "audit", "sbom", "release-files"} <= set(MAKE.findall(commands()))
    assert {".ci/run", "hack/release.py"} <= set(SCRIPT.findall(commands()))


def test_every_target_that_a_workflow_makes_is_in_the_makefile() -> None:
    assert set(MAKE.findall(commands())) - made() == set()


def test_every_script_that_a_workflow_runs_is_there() -> None:
    assert [path for path in SCRIPT.findall(commands()) if not (ROOT / path).is_file()] == []


def test_ci_runs_what_everybody_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    assert [step["run"] for name, step in steps() if name == "ci/test" and "run" in step] == [".ci/run"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_which_release_that_is(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    used = {step["uses"] for _, step in steps() if "uses" in step}
    assert len(used) == len({action.partition("@")[0] for action in used})


def test_the_actions_are_listed_with_their_versions_for_who_checks_them() -> None:
    listed = {words(row[0])[0]: (row[1], words(row[2])[0]) for row in rows(section(RELEASE, "Pinned actions"))}
    found = {}
    for path in FILES:
        for action, commit, version in re.findall(r"uses: (\S+)@(\S+) # (\S+)", path.read_text()):
            found[action] = (version, commit)
    assert listed == found


@pytest.mark.parametrize("name", ["ci", "release"])
def test_nothing_is_allowed_by_default_and_no_two_runs_collide(name: str) -> None:
    workflow = read(name)
    assert workflow["permissions"] in ({}, "{}")
    assert workflow["concurrency"]["group"]


def test_every_job_says_what_it_may_and_when_it_is_given_up() -> None:
    assert [name for name, job in jobs() if not (job.get("permissions") and job.get("timeout-minutes"))] == []


def test_checks_of_changes_may_only_read_and_know_no_secret() -> None:
    assert {str(job["permissions"]) for name, job in jobs() if name.startswith("ci/")} == {"{'contents': 'read'}"}
    assert "secrets." not in (ROOT / ".github" / "workflows" / "ci.yaml").read_text()


def test_no_workflow_runs_the_code_of_a_fork_with_our_rights() -> None:
    triggers = {trigger for path in FILES for trigger in read(path.stem)["on"]}
    assert triggers == {"push", "pull_request", "schedule"}


def test_secrets_are_given_only_to_jobs_that_somebody_approves() -> None:
    assert [name for name, job in jobs() if "secrets." in str(job) and job.get("environment") != "release"] == []


def test_no_checkout_leaves_its_token_behind() -> None:
    kept = [name for name, step in steps() if "actions/checkout@" in step.get("uses", "")]
    safe = [name for name, step in steps() if step.get("with", {}).get("persist-credentials") == "false"]
    assert kept == safe != []


def test_a_release_takes_nothing_from_a_cache() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
    assert "actions/cache" not in text
    assert "cache-from" not in text


def test_where_images_go_is_a_variable_and_no_host_is_written() -> None:
    for path in FILES:
        text = path.read_text()
        assert list(addresses.findings(path, text)) == []
        assert re.findall(r"\b(?:ghcr\.io|docker\.io|quay\.io|gcr\.io)\b", text) == []


def variables() -> set[str]:
    return set(re.findall(r"(?:vars|secrets)\.(\w+)", "".join(path.read_text() for path in FILES)))


def test_every_variable_and_secret_is_explained() -> None:
    explained = {words(row[0])[0] for row in rows(section(RELEASE, "Before the first release"))}
    assert explained == variables()


def test_the_kubernetes_versions_are_the_same_everywhere() -> None:
    tested = read("ci")["jobs"]["kind"]["strategy"]["matrix"]["kubernetes"]
    assert tested == list(nodes.NODES)
    assert [row[0] for row in rows(section(RELEASE, "Kubernetes versions"))] == tested
    assert f"{tested[0]} to {tested[-1]}" in INSTALL.read_text()


def test_a_node_image_is_of_its_version_and_pinned() -> None:
    for version, image in nodes.NODES.items():
        assert re.fullmatch(rf"kindest/node:v{re.escape(version)}\.\d+@sha256:[0-9a-f]{{64}}", image)


def test_the_newest_is_the_default_of_make_and_the_local_control_plane() -> None:
    from tests.support.repository import binaries

    assert f"\nK8S ?= {nodes.NEWEST}\n" in (ROOT / "Makefile").read_text()
    assert binaries.kubernetes_version().startswith(f"v{nodes.NEWEST}.")


def test_python_is_tested_from_the_oldest_that_is_promised() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tested = read("ci")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tested[0]}"
    assert f"ARG PYTHON_IMAGE=python:{tested[-1]}" in (ROOT / "Dockerfile").read_text()


def values() -> dict[str, object]:
    """Return the chart's values by their path."""
    import yaml

    def flatten(tree: dict[str, object], path: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in tree.items():
            found[f"{path}{name}"] = value
            if isinstance(value, dict):
                found |= flatten(value, f"{path}{name}.")
        return found

    return flatten(yaml.safe_load((ROOT / "charts" / "providerswitch" / "values.yaml").read_text()), "")


def test_the_values_in_the_page_on_installing_have_the_defaults_that_are_told() -> None:
    known = values()
    told = [(words(row[0]), words(row[1])) for row in rows(section(INSTALL, "With Helm"))]
    for names, defaults in told:
        shown = defaults if len(defaults) == len(names) else defaults * len(names)
        assert [json.dumps(known[name]) for name in names] == shown


def test_every_value_that_a_command_sets_is_in_the_chart() -> None:
    named = set(re.findall(r"(?:--set '?|`)((?:[a-zA-Z]+\.)*[a-zA-Z]+)=", INSTALL.read_text()))
    assert {"image.repository", "image.digest", "watch.namespaces", "caBundle.configMapName"} <= named
    assert sorted(name for name in named - set(values()) if name.upper() != name) == []


def test_the_oldest_kubernetes_is_the_one_that_the_chart_accepts() -> None:
    found = re.search(r'kubeVersion: ">=([\d.]+)\.0-0"', (ROOT / "charts/providerswitch/Chart.yaml").read_text())
    assert found
    assert f"Kubernetes {found[1]} or newer" in INSTALL.read_text()
