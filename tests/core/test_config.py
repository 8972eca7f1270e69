"""Settings: typed, complete, and wrong ones all named at once."""

import re

import pytest

from catalog import config

URLS = {"DATABASE_URL": "postgresql://h/c", "REDIS_URL": "redis://h/0", "CACHE_REDIS_URL": "redis://h/1"}


@pytest.fixture(autouse=True)
def only_urls(monkeypatch, tmp_path):
    for setting in config.SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
    for name, value in URLS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CATALOG_ENV_FILE", str(tmp_path / ".env"))


def test_every_wrong_setting_is_named_in_one_message(monkeypatch):
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("WEB_THREADS", "0")
    monkeypatch.setenv("CATALOG_ENV", "prod")
    with pytest.raises(config.ConfigError) as raised:
        config.load()
    assert all(name in str(raised.value) for name in ("PORT", "WEB_THREADS", "CATALOG_ENV"))


def test_every_missing_url_is_named_with_the_way_out(monkeypatch):
    for name in URLS:
        monkeypatch.delenv(name)
    with pytest.raises(config.ConfigError) as raised:
        config.load()
    assert all(name in str(raised.value) for name in (*URLS, "manage.py start"))


def test_production_names_all_that_it_needs_in_one_message(monkeypatch):
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("CATALOG_ENV", "production")
    with pytest.raises(config.ConfigError) as raised:
        config.load()
    assert all(name in str(raised.value) for name in ("REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_any_spelling_of_a_postgresql_url_gets_the_driver_we_install(monkeypatch, scheme):
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h/c")
    assert config.load()["DATABASE_URL"] == "postgresql+psycopg2://u:p@h/c"


def test_the_database_url_is_made_of_its_parts_and_quotes_the_password(monkeypatch):
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("POSTGRES_HOST", "db")
    monkeypatch.setenv("POSTGRES_PASSWORD", "p@ss/word")
    assert config.load()["DATABASE_URL"] == "postgresql+psycopg2://catalog:p%40ss%2Fword@db:5432/catalog"


def test_one_redis_host_stands_for_both_urls_where_they_are_not_given(monkeypatch):
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("REDIS_HOST", "r")
    assert config.load()["REDIS_URL"] == "redis://r:6379/0"
    assert config.load()["CACHE_REDIS_URL"] == URLS["CACHE_REDIS_URL"]


def test_a_blank_setting_has_its_default(monkeypatch):
    monkeypatch.setenv("PORT", " ")
    assert config.load()["PORT"] == 5000


def test_settings_are_read_from_the_env_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=5055\n")
    assert config.load()["PORT"] == 5055


def test_the_readme_lists_every_setting_with_its_meaning_and_no_other():
    readme = (config.ROOT / "README.md").read_text()
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", readme, re.MULTILINE))
    assert listed == {setting.name for setting in config.SETTINGS}
    assert all(setting.meaning in readme for setting in config.SETTINGS)


def test_the_example_file_names_every_setting():
    example = (config.ROOT / ".env.example").read_text()
    assert all(re.search(rf"^#? ?{setting.name}=", example, re.MULTILINE) for setting in config.SETTINGS)


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "CACHE_REDIS_URL", "ORDER_QUEUE_REDIS_URL"]
)
@pytest.mark.parametrize(
    "url",
    [
        "{scheme}://user:hush/hush@host/0",
        "{scheme}://user:12/hush@host/0",
        "{scheme}://user:hush@host:hush/0",
        "{scheme}://user:hush@hush@host/0",
        "{scheme}://user:hush#hush@host/0",
        "mysql://user:hush@host/0",
        "//user:hush@host",
        "{scheme}://[user:hush@host/0",
    ],
)
def test_a_url_whose_password_would_be_read_as_something_else_is_refused_without_quoting_it(monkeypatch, name, url):
    monkeypatch.setenv(name, url.format(scheme="postgresql" if name.startswith("DATABASE") else "redis"))
    with pytest.raises(config.ConfigError) as raised:
        config.load()
    assert f"{name}: must be a URL with" in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql+psycopg2://u:p%40%2F@h:5432/c?sslmode=require"),
        ("DATABASE_URL", "postgresql+psycopg2://u@/c?host=/run/postgres"),
        ("REDIS_URL", "unix:///run/redis.sock?db=0"),
        ("REDIS_URL", "rediss://:p@[::1]:6380/2"),
        ("FAKESTORE_URL", "https://fakestoreapi.com"),
    ],
)
def test_urls_as_their_servers_want_them_are_taken(monkeypatch, name, url):
    monkeypatch.setenv(name, url)
    assert config.load()[name] == url
