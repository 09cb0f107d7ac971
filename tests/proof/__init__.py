"""See conftest.py. Its helpers assert as its tests do, and say as much when they fail."""

import pytest

pytest.register_assert_rewrite(
    "tests.operating", "tests.proof.enumerating", "tests.proof.stage", "tests.proof.scenarios"
)
