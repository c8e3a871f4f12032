"""What hack/image collects for the image, tried with the Python that runs the tests: no container engine needed."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from tests.support.repository import ROOT

from image import rootfs  # isort: skip  # tests.support.repository puts hack/ on the path
from image.libraries import MissingLibraryError, needed_libraries
from image.selection import ignored
from providerswitch import __version__

EPOCH = 1_700_000_000
LOCKED = re.compile(r"^([\w.-]+)==", re.MULTILINE)
CHROOT = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin")
ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0 or CHROOT is None, reason="needs root and chroot: the collected files were not run"
)
LINUX_ONLY = pytest.mark.skipif(shutil.which("ldd") is None, reason="ldd lists the libraries, and there is none here")

pytestmark = LINUX_ONLY


def install(environment: Path) -> None:
    """Copy the operator and what it is locked to from the environment that runs the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    packages = next(environment.glob("lib/python*/site-packages"))
    for name in LOCKED.findall((ROOT / "requirements" / "runtime.txt").read_text()):
        copy_distribution(name, packages)
    shutil.copytree(ROOT / "operator" / "providerswitch", packages / "providerswitch")


def copy_distribution(name: str, packages: Path) -> None:
    for file in distribution(name).files or []:
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.suffix != ".pyc" and source.exists():
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, packages / file)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("environment") / "venv"
    install(made)
    return made


@pytest.fixture(scope="module")
def collected(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("collected") / "root"
    root.mkdir()
    rootfs.collect(environment, root, EPOCH)
    return root


def run(collected: Path, environment: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the operator with nothing but the collected files, as the image's user."""
    command = [str(CHROOT), "--userspec=65532:65532", collected, environment / "bin" / "python", *args]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env={})


@ROOT_ONLY
def test_the_files_are_enough_to_start(collected: Path, environment: Path) -> None:
    result = run(collected, environment, "-m", "providerswitch", "--version")

    assert (result.returncode, result.stdout, result.stderr) == (0, f"providerswitch {__version__}\n", "")


@ROOT_ONLY
def test_the_files_are_enough_to_classify(collected: Path, environment: Path) -> None:
    answer = {"provider": "openai", "status": 401, "headers": {}, "body": '{"error": {"code": "invalid_api_key"}}'}

    result = run(collected, environment, "-m", "providerswitch", "classify", stdin=json.dumps(answer))

    assert json.loads(result.stdout)["class"] == "AuthInvalid", result.stderr


@ROOT_ONLY
def test_every_package_of_the_operator_can_be_imported(collected: Path, environment: Path) -> None:
    walk = """
import importlib, pkgutil, providerswitch
for each in pkgutil.walk_packages(providerswitch.__path__, "providerswitch."):
    if ".demo" not in each.name and "__main__" not in each.name:
        importlib.import_module(each.name)
import kopf, kubernetes.aio.client, zoneinfo
zoneinfo.ZoneInfo("Europe/Berlin")
"""
    result = run(collected, environment, "-c", walk)

    assert (result.returncode, result.stderr) == (0, "")


def test_there_is_no_shell_no_pip_and_no_test(collected: Path) -> None:
    names = {path.name for path in collected.rglob("*")}

    assert names & {"sh", "bash", "pip", "ensurepip", "tests", "test", "idlelib"} == set()


def test_all_files_have_one_time_and_no_one_but_root_may_write_them(collected: Path) -> None:
    entries = [path for path in collected.rglob("*") if not path.is_symlink()]

    assert {path.stat().st_mtime for path in entries} == {EPOCH}
    assert {oct(path.stat().st_mode & 0o7777) for path in entries if path != collected / "tmp"} == {"0o755", "0o644"}


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_second_collection_is_the_same_to_the_byte(collected: Path, environment: Path, tmp_path: Path) -> None:
    for source in environment.rglob("*.py"):  # unpacked a day later, under another umask
        os.utime(source, (EPOCH + 86_400, EPOCH + 86_400))
        source.chmod(0o664)
    again = tmp_path / "root"
    again.mkdir()
    rootfs.collect(environment, again, EPOCH)

    first, second = contents(collected), contents(again)

    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_set_user_id_bit_does_not_get_into_the_image(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "su").touch()
    (tmp_path / "su").chmod(0o4755)

    rootfs.normalise(tmp_path, EPOCH)

    assert (tmp_path / "su").stat().st_mode & 0o7777 == 0o755


def test_packages_of_the_base_stay_out_and_those_of_the_environment_stay_in(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()

    assert ignored(str(tmp_path / "lib" / "python3"), ["site-packages", "tests"]) == {"tests"}
    assert ignored("/usr/local/lib/python3", ["site-packages", "os.py"]) == {"site-packages"}


def test_a_library_that_the_base_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = tmp_path / "ldd"
    loader.write_text("#!/bin/sh\nprintf '\\tlibstdc++.so.6 => not found\\n\\tlibc.so.6 => /lib/libc.so.6 (0x1)\\n'\n")
    loader.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(MissingLibraryError, match=r"libstdc\+\+\.so\.6"):
        needed_libraries([Path(sys.executable)])
