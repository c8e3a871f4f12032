"""What pytest loads for all tests; fixtures live in tests/support."""

from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["tests.support.control_plane", "tests.support.crds", "tests.support.scene"]

E2E = Path(__file__).parent / "e2e"

# A busy machine is no bug. The import has a reason of its own: left to Hypothesis's plugin it comes at the end of the
# run, where Python 3.11 fails to compile it if an unclosed event loop is collected at that moment (cpython gh-106905).
hypothesis.settings.register_profile("patient", parent=hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/e2e, before -m selects."""
    for item in items:
        if item.path.is_relative_to(E2E):
            item.add_marker(pytest.mark.e2e)
