"""The program that asks the libraries: found where it was built, and built anew when what it is made of changes."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.gitops.verdicts import ask
from tests.support.repository import ROOT

from kstatus import program  # isort: skip  # tests.support.repository puts hack/ on the path


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module whose program nobody has built, with a cache of its own."""
    module = tmp_path / "kstatus"
    shutil.copytree(ROOT / "hack" / "kstatus", module)
    monkeypatch.setattr(program, "MODULE", module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return module


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "lua.go"])
def test_a_change_of_a_source_gives_another_place(copied: Path, name: str) -> None:
    before = program.place()
    with (copied / name).open("a") as file:
        file.write("\n// changed\n")
    assert program.place() != before


@pytest.mark.usefixtures("copied")
def test_a_missing_program_says_how_it_is_built() -> None:
    with pytest.raises(program.MissingProgramError, match="run make kstatus"):
        program.require_program()


@pytest.mark.usefixtures("copied")
def test_one_that_is_there_is_not_built_again() -> None:
    program.place().parent.mkdir(parents=True)
    program.place().write_text("#!/bin/sh\n")
    program.place().chmod(0o755)
    assert program.build_program().read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [((), "[]", "usage"), (("status",), "no JSON", "stdin is no JSON array"), (("health", "nowhere"), "[]", "nowhere")],
    ids=["no verb", "no JSON", "no script"],
)
def test_a_wrong_call_is_told(arguments: tuple[str, ...], given: str, said: str) -> None:
    called = subprocess.run(
        [str(program.require_program()), *arguments], input=given, capture_output=True, text=True, check=False
    )
    assert called.returncode == 1
    assert said in called.stderr


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('return {status = "Splendid"}', "Argo CD does not know"),
        ("return 1", "Argo CD wants a table"),
        ("return {status = string.lower('HEALTHY')}", "non-table object"),
        ("os.execute('true')", "non-function"),
        ("while true do end", "context deadline exceeded"),
    ],
)
def test_what_argo_cd_does_not_let_a_script_do_fails_here_too(tmp_path: Path, script: str, said: str) -> None:
    path = tmp_path / "script"
    path.write_text(script)
    policy = {"apiVersion": "v1", "kind": "Any", "metadata": {}}
    with pytest.raises(AssertionError, match=said):
        ask([policy], "health", str(path))
