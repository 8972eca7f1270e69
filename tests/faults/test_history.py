"""No read returns less than what was acknowledged before it began; and a cache that is broken is found out."""

import os

import pytest

from tests.faults.history import DEADLINE, READS_A_SECOND, History
from tests.processes import wait_for

SECONDS = float(os.environ.get("CATALOG_FAULT_SECONDS", "10"))
ROUNDS = int(os.environ.get("CATALOG_FAULT_ROUNDS", "1"))
BROKEN = (
    "delete_after_commit",
    "fill_without_generation",
    "fence_without_clear",
    "trust_without_a_look",
    "answer_without_waiting",
)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_read_is_older_than_what_was_acknowledged_before_it(tmp_path, number):
    with History(tmp_path, "as_it_is") as history:
        history.play(SECONDS)
        history.board.stop()
        print(history.report())
        wait_for(history.settled, DEADLINE)
        board = history.board
        assert board.total("reads") > READS_A_SECOND * SECONDS
        assert board.total("hits") > board.total("reads") / 10
        assert board.total("errors") == 0
        assert board.total("stale") == 0  # also while the writers alone are cut off, where 2 s would be allowed


@pytest.mark.parametrize("variant", BROKEN)
def test_a_cache_broken_in_a_known_way_is_found_out(tmp_path, variant):
    with History(tmp_path, variant) as history:
        history.play_until_stale(DEADLINE)
        print(history.report())
        assert history.board.total("stale") > 0
