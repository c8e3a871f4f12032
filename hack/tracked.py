"""The files that belong to the repository: what git tracks, and what it would track if somebody added it."""

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent


def tracked_files(*patterns: str) -> list[Path]:
    """Return the paths, relative to the repository's root, that match git's patterns (all without one)."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted({Path(line) for line in listing.stdout.splitlines() if (ROOT / line).is_file()})
