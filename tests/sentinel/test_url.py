"""What URLs of Redis name, and which are refused."""

from typing import Any

import pytest

from catalog import config, redisurl

ONE, TWO = "sentinel-1", "sentinel-2:26380"


@pytest.mark.parametrize("name", ["REDIS_URL", "CACHE_REDIS_URL", "ORDER_QUEUE_REDIS_URL"])
def test_the_settings_take_urls_of_sentinels(monkeypatch, name):
    url = f"redis+sentinel://:p%40w@{ONE},{TWO}/mymaster/0?sentinel_password=hush"
    monkeypatch.setenv(name, url)
    assert config.load()[name] == url


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:hush@one,two",
        "redis+sentinel://:hush@one,two/",
        "redis+sentinel://:hush@one:hush,two/mymaster",
        "redis+sentinel://:hush@one,,two/mymaster",
        "redis+sentinel://:hush@one/mymaster/hush",
        "redis+sentinel://:hush@one/mymaster/0?sentinel_pasword=hush",
        "redis+sentinel://:hush@one/mymaster/0?hush",
        "redis+sentinel://:hush@one:99999/mymaster",
    ],
)
def test_what_cannot_be_one_is_refused_without_quoting_it(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(config.ConfigError) as raised:
        config.load()
    assert "REDIS_URL: must be a URL with a service after its Sentinels" in str(raised.value)
    assert "hush" not in str(raised.value)


def test_a_url_tells_sentinels_service_database_and_the_passwords_of_both():
    server = redisurl.server(f"redis+sentinel://ann:p%40w@{ONE},{TWO}/my%20master/3?sentinel_password=s%40w")
    assert server.options == {"username": "ann", "password": "p@w", "db": 3}
    client = server.client()
    pool: Any = client.connection_pool
    assert pool.service_name == "my master"
    asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"], one["password"]) for one in asked] == [
        ("sentinel-1", 26379, "s@w"),
        ("sentinel-2", 26380, "s@w"),
    ]


def test_tls_goes_to_the_sentinels_and_to_the_master():
    server = redisurl.server(f"rediss+sentinel://{ONE}/mymaster")
    pool: Any = server.client().connection_pool
    assert "SSL" in pool.connection_class.__name__
    assert all("SSL" in one.connection_pool.connection_class.__name__ for one in pool.sentinel_manager.sentinels)


@pytest.mark.parametrize("url", ["redis://:pw@host:6380/2", "rediss://host/2", "unix:///run/redis.sock?db=2"])
def test_other_urls_name_a_server_whose_address_is_known(url):
    server = redisurl.server(url)
    assert server.master() is None
    assert server.options["db"] == 2
