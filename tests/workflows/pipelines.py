"""The workflows in .github as tests look at them."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from tests.support.repository import ROOT

FOLDER: Final = ROOT / ".github" / "workflows"
FILES: Final = sorted(FOLDER.glob("*.yaml"))


def read(name: str) -> dict[str, Any]:
    """Return a workflow."""
    return dict(yaml.load((FOLDER / f"{name}.yaml").read_text(), yaml.BaseLoader))  # BaseLoader: `on` is no boolean


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every job of every workflow, with a name for messages."""
    for path in FILES:
        for name, job in read(path.stem)["jobs"].items():
            yield f"{path.stem}/{name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every step, with the name of its job."""
    for name, job in jobs():
        for step in job["steps"]:
            yield name, step


def commands() -> str:
    """Return everything that is run in a shell, a line a command."""
    return "\n".join(re.sub(r"\\\n\s*", "", step["run"]) for _, step in steps() if "run" in step)
