"""keys rotate-encryption: every secret ends under the first key, nothing is lost, and it says when it is done."""

import threading

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from catalog import encryption
from catalog import reencryption as batches
from catalog.commands.keys import keys
from catalog.extensions import db
from catalog.webhooks import reencryption, service
from tests.processes import wait_for

HEADERS = {"Authorization": "Bearer tip-top-secret", "X-Team": "warehouse"}


@pytest.fixture
def make_hooks(committed):
    def make(count: int, **fields) -> list:
        wanted = {"url": "http://127.0.0.1:9/", "events": ["*"], "secret": "tip-top", "headers": HEADERS, **fields}
        with committed.app_context():
            return [service.create(dict(wanted)).id for _ in range(count)]

    return make


@pytest.fixture
def rotate(committed):
    """Run `flask keys rotate-encryption`; return its exit status and all that it prints."""

    def run():
        with committed.app_context():
            result = committed.test_cli_runner().invoke(keys, ["rotate-encryption"], catch_exceptions=False)
        return result.exit_code, result.output

    return run


def stored(app) -> list[tuple]:
    with app.app_context():
        found = "SELECT id, secret, previous_secret, secret_headers FROM webhooks ORDER BY id"
        return [tuple(row) for row in db.session.execute(text(found))]


def opened(app) -> set[tuple]:
    """Return the secrets of all webhooks in the clear, with the keys that are set."""
    with app.app_context():
        return {
            (*[secret and encryption.decrypt(bytes(secret)) for secret in secrets], encryption.decrypt(value.encode()))
            for _, *secrets, headers in stored(app)
            for value in headers.values()
        }


def test_every_secret_opens_with_the_new_key_alone_afterwards(app, make_hooks, rotate, use_keys, old_key, new_key):
    use_keys(old_key)
    hooks = make_hooks(3)
    with app.app_context():
        service.rotate_secret(hooks[0], "newer")
    use_keys(new_key, old_key)
    code, said = rotate()
    assert code == 0
    assert "7 secrets encrypted anew" in said
    assert "are needed no more" in said
    use_keys(new_key)
    assert opened(app) == {("tip-top", None, "Bearer tip-top-secret"), ("newer", "tip-top", "Bearer tip-top-secret")}


def test_a_second_run_changes_nothing_and_says_the_same(app, make_hooks, rotate, use_keys, old_key, new_key):
    use_keys(old_key)
    make_hooks(2)
    use_keys(new_key, old_key)
    rotate()
    before = stored(app)
    code, said = rotate()
    assert (code, stored(app)) == (0, before)
    assert "0 secrets encrypted anew, 4 are encrypted with the first key" in said
    assert "are needed no more" in said


def test_nothing_but_the_ciphertext_changes(app, make_hooks, rotate, use_keys, old_key, new_key):
    use_keys(old_key)
    make_hooks(1)
    everything_else = text("SELECT to_jsonb(webhooks) - '{secret,secret_headers}'::text[] FROM webhooks")
    with app.app_context():
        before = db.session.execute(everything_else).all()
    use_keys(new_key, old_key)
    rotate()
    with app.app_context():
        assert db.session.execute(everything_else).all() == before


def test_a_secret_that_no_key_opens_is_named_and_the_others_are_renewed(
    app, make_hooks, rotate, use_keys, old_key, new_key
):
    use_keys(Fernet.generate_key().decode())
    (lost,) = make_hooks(1)
    use_keys(old_key)
    make_hooks(2)
    use_keys(new_key, old_key)
    before = stored(app)[0]
    code, said = rotate()
    assert code == 1
    assert f"No key opens webhook {lost}: secret\n" in said
    assert f"No key opens webhook {lost}: header Authorization\n" in said
    assert "4 secrets encrypted anew" in said
    assert "are needed no more" not in said
    assert stored(app)[0] == before


def test_a_killed_run_is_finished_by_the_next(app, make_hooks, rotate, use_keys, old_key, new_key, monkeypatch):
    use_keys(old_key)
    make_hooks(5)
    use_keys(new_key, old_key)
    monkeypatch.setattr(batches, "BATCH", 2)
    renew, left = reencryption._renew, iter(range(3))

    def killed(webhook, tally):
        next(left)  # StopIteration within the second batch: as a kill, it rolls back what is not committed
        renew(webhook, tally)

    monkeypatch.setattr(reencryption, "_renew", killed)
    with pytest.raises(StopIteration), app.app_context():
        service.reencrypt()
    monkeypatch.setattr(reencryption, "_renew", renew)
    code, said = rotate()
    assert code == 0
    assert "6 secrets encrypted anew" in said
    use_keys(new_key)
    assert opened(app) == {("tip-top", None, "Bearer tip-top-secret")}


def test_writes_and_other_rotations_at_the_same_time_lose_nothing(
    app, make_hooks, use_keys, old_key, new_key, monkeypatch
):
    use_keys(old_key)
    hooks = make_hooks(12)
    use_keys(new_key, old_key)
    monkeypatch.setattr(batches, "BATCH", 2)
    failures = []

    def attempt(call, *arguments):
        try:
            with app.app_context():
                call(*arguments)
        except Exception as error:
            failures.append(error)

    def change():
        for hook in hooks:
            attempt(service.rotate_secret, hook, "newest")
            attempt(service.update, hook, {"headers": {"Authorization": "Bearer newest"}})

    threads = [threading.Thread(target=change)]
    threads += [threading.Thread(target=attempt, args=(service.reencrypt,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with app.app_context():
        service.reencrypt()
    assert failures == []
    use_keys(new_key)
    assert opened(app) == {("newest", "tip-top", "Bearer newest")}


def test_a_row_that_is_being_written_is_waited_for_and_its_new_secret_is_kept(
    app, make_hooks, use_keys, old_key, new_key
):
    """The order in which a read before the write and a write after it would lose the newer secret."""
    use_keys(old_key)
    (hook,) = make_hooks(1)
    use_keys(new_key, old_key)

    def run():
        with app.app_context():
            service.reencrypt()

    thread = threading.Thread(target=run)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%webhooks%'")
    with app.app_context(), db.engine.connect() as other, db.engine.connect() as plain:
        watcher = plain.execution_options(isolation_level="AUTOCOMMIT")
        with other.begin():
            newest = encryption.encrypt("newest")
            other.execute(text("UPDATE webhooks SET secret = :new WHERE id = :id"), {"new": newest, "id": hook})
            thread.start()
            wait_for(lambda: watcher.scalar(waiting), 10)
        thread.join(10)
    assert {secret for secret, *_ in opened(app)} == {"newest"}


def test_a_secret_that_has_run_out_is_dropped(app, make_hooks, rotate, use_keys, old_key):
    use_keys(old_key)
    (hook,) = make_hooks(1)
    with app.app_context():
        service.rotate_secret(hook, "newer")
        db.session.execute(text("UPDATE webhooks SET previous_secret_until = now() - interval '1 second'"))
        db.session.commit()
    rotate()
    assert stored(app)[0][2] is None


def test_headers_that_an_older_version_kept_in_the_clear_are_encrypted(app, make_hooks, rotate, use_keys, new_key):
    use_keys(new_key)
    make_hooks(1, headers={})
    with app.app_context():
        db.session.execute(text("""UPDATE webhooks SET headers = '{"X-Token": "old-one", "X-Team": "a"}'"""))
        db.session.commit()
    assert "1 secrets encrypted anew" in rotate()[1]
    assert opened(app) == {("tip-top", None, "old-one")}
