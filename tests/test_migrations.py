"""Migrations go up and down, and end where the models are."""

import json
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from catalog.cli import main
from catalog.commands import data
from catalog.extensions import db
from catalog.webhooks import secret_headers

FOLDER = str(Path(__file__).parent.parent / "migrations")


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_all_migrations_go_up_down_and_up_again(empty_database):
    upgrade(directory=FOLDER)
    assert tables() == {table.name for table in db.metadata.sorted_tables}
    downgrade(directory=FOLDER, revision="base")
    assert tables() == set()
    upgrade(directory=FOLDER)
    assert "products" in tables()


@pytest.mark.filterwarnings("ignore")  # autogenerate warns of the expression indexes that it cannot compare
def test_the_migrated_schema_is_that_of_the_models(empty_database):
    upgrade(directory=FOLDER)
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [found for found in compare_metadata(context, db.metadata) if "index" not in str(found[0])]
    assert differences == []


def test_the_indexes_of_the_models_are_those_of_the_migrations(empty_database):
    upgrade(directory=FOLDER)
    migrated = _indexes()
    with db.engine.begin() as connection:
        db.metadata.drop_all(connection)
        db.metadata.create_all(connection)
    assert _indexes() == migrated


def _indexes() -> set[str]:
    with db.engine.connect() as connection:
        found = connection.scalars(
            text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
        )
        return set(found)


def test_secret_headers_are_encrypted_on_the_way_up_and_in_the_clear_again_on_the_way_down(empty_database):
    headers = {"Authorization": "Bearer tip-top-secret", "X-Team": "warehouse"}
    upgrade(directory=FOLDER, revision="0013")
    downgrade(directory=FOLDER, revision="-1")
    with db.engine.begin() as connection:
        insert = "INSERT INTO webhooks (url, events, headers) VALUES ('http://x/', '{*}', CAST(:headers AS jsonb))"
        connection.execute(text(insert), {"headers": json.dumps(headers)})
    upgrade(directory=FOLDER, revision="0013")
    with db.engine.connect() as connection:
        row = connection.execute(text("SELECT headers, secret_headers, webhooks::text AS whole FROM webhooks")).one()
    assert row.headers == {"X-Team": "warehouse"}
    assert secret_headers.opened(row.secret_headers) == {"Authorization": "Bearer tip-top-secret"}
    assert "tip-top-secret" not in row.whole
    downgrade(directory=FOLDER, revision="-1")
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT headers FROM webhooks")) == headers


def test_what_waits_for_the_migration_waits_for_this_codes_or_a_later_one(empty_database):
    assert not data.await_migration(0.2)
    upgrade(directory=FOLDER, revision="0001")
    assert not data.await_migration(0.2)
    upgrade(directory=FOLDER)
    assert data.await_migration(10)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert data.await_migration(10)


def test_it_waits_for_a_database_that_does_not_answer_too(empty_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    result = CliRunner().invoke(main, ["await-migration", "--seconds", "0.5"])
    assert result.exit_code == 1
    assert "was not migrated within" in result.output
