"""Old and new code on one schema: migrations that only expand, and that no request waits for."""

import importlib.util
import re
import threading
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from catalog.commands import data
from catalog.config import ROOT
from catalog.extensions import db
from tests.processes import wait_for

SCRIPTS = ScriptDirectory(str(ROOT / "migrations"))
REVISIONS = [each.revision for each in reversed(list(SCRIPTS.walk_revisions()))]
BEFORE_THE_RULE = "0013"

# What code that does not know of the migration would meet: by what is wrong, the statements that do it.
BREAKING = {
    "drops what old code may use": r"\bDROP (TABLE|COLUMN|SCHEMA|VIEW|SEQUENCE)\b",
    "renames what old code may use": r"\bRENAME\b",
    "changes a type under old code": r"\bALTER COLUMN \w+ (SET DATA )?TYPE\b",
    "asks old code for a value": r"\bSET NOT NULL\b|\bADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b",
}
LOCKING = {
    "builds an index while writes wait": r"\bCREATE (UNIQUE )?INDEX (?!CONCURRENTLY)",
    "checks all rows while writes wait": r"\bADD CONSTRAINT (?!.*\bNOT VALID\b).*\b(CHECK|FOREIGN KEY|UNIQUE)\b",
}


def wrongs(statements: list[str]) -> list[str]:
    """Return what a migration's statements do to code that does not know of it; its own tables may be anything."""
    own = {name for each in statements for name in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?([\w.]+)", each)}
    found = []
    for statement in statements:
        flat = " ".join(statement.split())
        table = re.search(r"\bALTER TABLE (?:ONLY )?([\w.]+)|\bON (?:ONLY )?([\w.]+)", flat)
        if table and (table[1] or table[2]) in own:
            continue
        kinds = {**BREAKING, **LOCKING}
        found += [f"{what}: {flat[:120]}" for what, pattern in kinds.items() if re.search(pattern, flat)]
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE products DROP COLUMN name",
        "DROP TABLE tasks",
        "ALTER TABLE products RENAME COLUMN name TO title",
        "ALTER TABLE products ALTER COLUMN price TYPE text",
        "ALTER TABLE products ALTER COLUMN price SET NOT NULL",
        "ALTER TABLE products ADD COLUMN weight INTEGER NOT NULL",
        "CREATE INDEX ix ON products (price)",
        "CREATE UNIQUE INDEX ix ON products (price)",
        "ALTER TABLE products ADD CONSTRAINT price CHECK (price > 0)",
    ],
)
def test_the_rule_finds_what_old_code_would_break_or_wait_on(statement):
    assert wrongs([statement])


@pytest.mark.parametrize(
    "statements",
    [
        [
            "CREATE TABLE boxes (id INTEGER NOT NULL)",
            "CREATE INDEX ix ON boxes (id)",
            "ALTER TABLE boxes DROP COLUMN id",
        ],
        ["ALTER TABLE products ADD COLUMN weight INTEGER"],
        ["ALTER TABLE products ADD COLUMN weight INTEGER DEFAULT 0 NOT NULL"],
        ["CREATE INDEX CONCURRENTLY ix ON products (price)"],
        ["ALTER TABLE products ADD CONSTRAINT price CHECK (price > 0) NOT VALID"],
    ],
)
def test_the_rule_lets_pass_what_old_code_does_not_notice(statements):
    assert wrongs(statements) == []


def test_migrations_since_the_rule_only_expand_or_say_why_nobody_needs_what_goes(empty_database):
    found = {}
    for revision in REVISIONS:
        statements = executed(revision)
        if revision > BEFORE_THE_RULE and not constant(revision, "CONTRACT"):
            found[revision] = wrongs(statements)
    assert {revision: what for revision, what in found.items() if what} == {}


def executed(revision: str) -> list[str]:
    """Upgrade to a revision, and return its statements."""
    from flask_migrate import upgrade

    statements: list[str] = []

    def note(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        upgrade(directory=str(ROOT / "migrations"), revision=revision)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return statements


def constant(revision: str, name: str) -> str | None:
    path = Path(SCRIPTS.get_revision(revision).path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name, None)


def test_a_migration_that_waits_for_a_table_makes_nobody_else_wait_for_long(empty_database, app, capfd, monkeypatch):
    from flask_migrate import downgrade

    monkeypatch.setattr(data, "LOCK_PAUSE_SECONDS", 0.1)
    data.migrate()
    downgrade(directory=str(ROOT / "migrations"), revision="0012")
    others = create_engine(db.engine.url, connect_args={"options": "-c lock_timeout=5s"})
    with others.connect() as holder, others.connect() as reader:
        holder.execute(text("SELECT count(*) FROM webhooks"))  # 0013 alters them
        migrating = run_in_thread(data.migrate)
        said = []
        while sum("trying again" in line for line in said) < 2:
            reader.execute(text("SELECT count(*) FROM webhooks"))
            reader.rollback()
            said += capfd.readouterr().err.splitlines()
        holder.rollback()
        wait_for(lambda: not migrating.is_alive(), 30)
        assert reader.scalar(text("SELECT version_num FROM alembic_version")) == REVISIONS[-1]
    others.dispose()


def run_in_thread(work) -> threading.Thread:
    from flask import current_app

    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def run() -> None:
        with app.app_context():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_migration_gives_up_where_a_table_stays_in_use(empty_database, monkeypatch):
    from flask_migrate import downgrade

    monkeypatch.setattr(data, "LOCK_TRIES", 1)
    data.migrate()
    downgrade(directory=str(ROOT / "migrations"), revision="0012")
    with db.engine.connect() as holder:
        holder.execute(text("SELECT count(*) FROM webhooks"))
        with pytest.raises(OperationalError, match="lock timeout"):
            data.migrate()
