"""What the services of a session share is deleted at its end."""

from collections.abc import Iterator

import pytest

from tests.faults import clusters


@pytest.fixture(scope="session", autouse=True)
def _forget_the_cluster() -> Iterator[None]:
    yield
    clusters.forget()
