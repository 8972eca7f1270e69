"""The key of a development copy: made once, for its owner alone."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalog import encryption


@pytest.fixture
def folder(app, tmp_path, monkeypatch):
    monkeypatch.setitem(app.config, "ENCRYPTION_KEYS", [])
    monkeypatch.setitem(app.config, "DATA_DIR", tmp_path / "data")
    return tmp_path / "data"


def test_nobody_else_may_read_it(app, folder):
    with app.app_context():
        encryption.encrypt("hush")
    assert [path.name for path in folder.iterdir()] == [encryption.KEY_FILE]
    assert stat.S_IMODE((folder / encryption.KEY_FILE).stat().st_mode) == 0o600


def test_those_who_need_it_first_at_the_same_time_have_the_same(app, folder):
    def encrypted(number: int) -> bytes:
        with app.app_context():
            return encryption.encrypt(str(number))

    with ThreadPoolExecutor(8) as threads:
        stored = list(threads.map(encrypted, range(16)))
    with app.app_context():
        assert [encryption.decrypt(one) for one in stored] == [str(number) for number in range(16)]
