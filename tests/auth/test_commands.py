"""`keys create`, `list`, `revoke` and `rotate`."""

import pytest

from tests.auth.conftest import bearer, key_id

URL = "/api/v1/transforms"


@pytest.fixture
def keys(production):
    """Return a function that runs `flask keys …` and returns its result."""

    def run(*arguments):
        with production.app_context():
            return production.test_cli_runner().invoke(args=["keys", *arguments])

    return run


def test_a_key_goes_to_standard_output_alone(keys, outside):
    made = keys("create", "Warehouse", "--scope", "imports", "--scope", "tasks", "--expires", "90d")
    assert (made.exit_code, made.stderr.count("shown this once")) == (0, 1)
    assert outside.get(URL, headers=bearer(made.stdout.strip())).status_code == 200


def test_keys_are_listed_with_what_they_may_do_and_never_shown(keys):
    key = keys("create", "Warehouse", "--scope", "imports", "--network", "10.1.0.0/16").stdout.strip()
    said = keys("list").stdout
    assert all(part in said for part in (key_id(key), "Warehouse", "imports", "10.1.0.0/16", "never", "valid"))
    assert key[-40:] not in said


def test_a_key_is_rotated_and_revoked(keys, outside):
    old = keys("create", "Warehouse", "--scope", "imports").stdout.strip()
    new = keys("rotate", key_id(old), "--keep", "1").stdout.strip()
    assert [outside.get(URL, headers=bearer(key)).status_code for key in (old, new)] == [200, 200]
    assert keys("revoke", key_id(old)).exit_code == 0
    assert f"{key_id(old)}" in keys("list").stdout
    assert "revoked" in keys("list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x"), "--scope"),
        (("create", "x", "--scope", "everything"), "everything"),
        (("create", "x", "--scope", "tasks", "--expires", "soon"), "90d"),
        (("create", "x", "--scope", "tasks", "--expires", "2001-01-01"), "future"),
        (("create", "x", "--scope", "tasks", "--network", "here"), "network"),
        (("revoke", "none"), "no such key"),
        (("rotate", "none"), "no such key"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(keys, arguments, said):
    result = keys(*arguments)
    assert result.exit_code != 0
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.processes
def test_the_commands_that_are_clients_send_the_key_that_is_set(new_key, production_url, monkeypatch, tmp_path):
    from catalog.commands.client import Service
    from catalog.stack.errors import StackError

    file = tmp_path / "products.csv"
    file.write_text("sku,name\nLAMP-1,Lamp\n")
    with pytest.raises(StackError, match="401"):
        Service(production_url).upload(file, {}, lambda _: None)
    monkeypatch.setenv("CATALOG_API_KEY", new_key("imports"))
    assert Service(production_url).upload(file, {}, lambda _: None)
