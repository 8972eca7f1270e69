"""A cluster of Redis whose masters may change."""

from collections.abc import Iterator

import pytest

from tests import servers
from tests.sentinel.cluster import Cluster


@pytest.fixture(scope="package")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    if servers.GIVEN:
        pytest.skip("runs Sentinels of its own, and here is no valkey-server")
    # As long as docs/adr/0023 advises: after a second of a busy machine Sentinel would fail over unasked.
    cluster = Cluster(tmp_path_factory.mktemp("sentinel"), down_after=5.0)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
