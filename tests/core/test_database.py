"""transaction() and after_commit(): one commit, and callbacks that follow it and only it."""

import pytest
from sqlalchemy import func, select

from catalog.database import after_commit, transaction
from catalog.extensions import db
from catalog.products.models import Product
from tests.factories import make_product

pytestmark = pytest.mark.usefixtures("context")


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Product)) or 0


def test_callbacks_run_after_the_outermost_commit_in_order():
    seen = []
    with transaction():
        after_commit(lambda: seen.append("first"))
        with transaction():
            after_commit(lambda: seen.append("second"))
        assert seen == []
    assert seen == ["first", "second"]


def test_callbacks_do_not_run_when_a_savepoint_ends():
    seen = []
    with transaction() as session:
        with session.begin_nested():
            after_commit(lambda: seen.append(1))
        assert seen == []
    assert seen == [1]


def test_a_rollback_undoes_the_changes_and_drops_the_callbacks():
    seen = []
    with pytest.raises(KeyError), transaction():
        make_product()
        after_commit(lambda: seen.append(1))
        raise KeyError
    with transaction():
        pass
    assert seen == []
    assert count() == 0


def test_an_inner_failure_that_the_caller_survives_leaves_the_outer_transaction_usable():
    with transaction():
        make_product(sku="A")
        with pytest.raises(Exception, match="already"):
            make_product(sku="a")
        make_product(sku="B")
    assert count() == 2


def test_a_callback_that_fails_is_logged_and_the_next_one_runs(caplog):
    seen = []
    with transaction():
        after_commit(lambda: 1 / 0)
        after_commit(lambda: seen.append(1))
    assert seen == [1]
    assert "ZeroDivisionError" in caplog.text


def test_after_commit_outside_a_transaction_is_refused():
    with pytest.raises(RuntimeError):
        after_commit(lambda: None)
