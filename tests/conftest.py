"""What pytest loads for all tests; fixtures live in tests/support."""

from pathlib import Path

import pytest

pytest_plugins = ["tests.support.control_plane"]

E2E = Path(__file__).parent / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/e2e, before -m selects."""
    for item in items:
        if item.path.is_relative_to(E2E):
            item.add_marker(pytest.mark.e2e)
