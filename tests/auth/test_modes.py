"""Open on a laptop, closed in production, with no third state."""

import os
import subprocess
import sys

import pytest
import requests
from sqlalchemy import text

from catalog import config
from catalog.app import create_app
from catalog.extensions import db
from tests.auth.conftest import PRODUCTION, SERVED, bearer
from tests.processes import free_port, served

GUNICORN = ("-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app")
NEEDED = ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL")


def run(arguments, settings):
    """Run a command of the project to its end and return its status and all that it said."""
    given = {**os.environ, **settings, "CATALOG_ENV_FILE": os.devnull, "PORT": str(free_port())}
    wanted = {name: value for name, value in given.items() if value is not None}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=config.ROOT, env=wanted, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "catalog.example.com", "127.0.0.1.example.com"])
def test_the_settings_refuse_an_open_service_at_an_address_that_others_reach(monkeypatch, host):
    monkeypatch.setenv("HOST", host)
    with pytest.raises(config.ConfigError, match="CATALOG_ENV=production"):
        config.load()


@pytest.mark.processes
@pytest.mark.parametrize("host", ["0.0.0.0"])
@pytest.mark.parametrize("command", [GUNICORN, ("-m", "catalog.cli", "start")], ids=["gunicorn", "start"])
def test_the_open_service_refuses_to_start_at_an_address_that_others_reach(environment, command, host):
    status, said = run(command, {**environment, "HOST": host})
    assert status != 0
    assert host in said
    assert all(
        way_out in said for way_out in ("CATALOG_ENV=production", "HOST=127.0.0.1", "PUBLISHED_ON_LOOPBACK=true")
    )
    assert "Traceback" not in said


@pytest.mark.processes
@pytest.mark.parametrize("bound", ["0.0.0.0", "[::]"])
def test_gunicorns_own_option_is_no_way_around_it(environment, bound):
    status, said = run((*GUNICORN, "--bind", f"{bound}:{free_port()}"), environment)
    assert status != 0
    assert "CATALOG_ENV=production" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_the_open_service_starts_on_loopback(environment, monkeypatch, host):
    monkeypatch.setenv("HOST", host)
    assert config.load()["HOST"] == host


def test_a_container_says_that_its_port_is_published_on_loopback_alone(monkeypatch):
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("PUBLISHED_ON_LOOPBACK", "true")
    assert config.load()["HOST"] == "0.0.0.0"


def test_production_binds_wherever_it_is_told_to(monkeypatch):
    for name, value in {**PRODUCTION, "HOST": "0.0.0.0"}.items():
        monkeypatch.setenv(name, value)
    assert config.load()["HOST"] == "0.0.0.0"


@pytest.mark.processes
@pytest.mark.parametrize("command", [GUNICORN, ("-m", "catalog.cli", "start")], ids=["gunicorn", "start"])
def test_production_names_all_that_is_missing_in_one_message(command, tmp_path):
    nothing = {**dict.fromkeys(NEEDED), "CATALOG_ENV": "production", "DATA_DIR": str(tmp_path)}
    status, said = run(command, nothing)
    assert status != 0
    assert all(f"{name}: not set" in said for name in NEEDED)
    assert "Traceback" not in said


@pytest.mark.parametrize("secret", ["short", "x" * 31])
def test_a_secret_key_that_is_short_is_refused(monkeypatch, secret):
    monkeypatch.setenv("SECRET_KEY", secret)
    with pytest.raises(config.ConfigError, match="SECRET_KEY") as raised:
        config.load()
    assert secret not in str(raised.value)


@pytest.mark.processes
def test_the_service_says_at_its_start_that_it_is_open(environment, capfd):
    with served(environment) as url:
        assert requests.get(f"{url}/health", timeout=5).json()["access"] == "open"
    assert "needs no key" in capfd.readouterr().err
    with served({**environment, **SERVED}) as url:
        assert requests.get(f"{url}/health", timeout=5).json()["access"] == "keys"
    assert "needs no key" not in capfd.readouterr().err


@pytest.mark.parametrize("path", ["jobs", "celery"])
def test_the_job_for_trying_out_is_not_there_in_production(outside, new_key, path):
    address = f"/api/v1/{path}/test"
    assert outside.post(address, headers=bearer(new_key("admin"))).status_code in (404, 405)
    assert address not in outside.get("/api/openapi.json").json["paths"]


def test_debugging_is_off_in_production_whatever_flask_is_told(environment, monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert create_app().debug is False


@pytest.mark.processes
@pytest.mark.parametrize("command", [("init-db",), ("orders", "seed")], ids=["init-db", "orders seed"])
def test_what_makes_things_up_refuses_in_production(environment, command):
    status, said = run(("-m", "catalog.cli", *command), {**environment, **PRODUCTION})
    assert status != 0
    assert "for development" in said


@pytest.mark.processes
def test_production_gets_no_sample_products_whatever_the_setting_says(committed, environment):
    def products_after(settings):
        status, said = run(("-m", "catalog.cli", "prepare"), {**environment, "SEED_ON_START": "true", **settings})
        assert status == 0, said
        with committed.app_context():
            return db.session.scalar(text("SELECT count(*) FROM products"))

    assert products_after(PRODUCTION) == 0
    assert products_after({}) == 5
