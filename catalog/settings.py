"""Every setting once: name, type, default, meaning, and what is wrong with a value."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from environs import validate

from catalog import settingrules as rules

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Setting:
    """One setting: `kind` names the parser of `environs` that reads it, `default` None means blank."""

    name: str
    kind: str
    default: Any
    meaning: str
    check: Callable[[Any], Any] | None = None


PRODUCTION_RATES = {
    "READS": "60000/minute",
    "WRITES": "12000/minute",
    "UPLOADS": "20000/hour",
    "GRAPHQL": "1000000/minute",
    "WRONG_KEYS": "60/minute",
}


def _rate_setting(kind: str, meaning: str) -> Setting:
    blank = f"blank: none in development, `{PRODUCTION_RATES[kind]}` in production"
    return Setting(f"RATE_LIMIT_{kind}", "str", None, f"{meaning}; {blank}", rules.rate)


SETTINGS = (
    Setting(
        "CATALOG_ENV",
        "str",
        "development",
        "`development` or `production`",
        validate.OneOf(["development", "production"]),
    ),
    Setting(
        "SECRET_KEY",
        "str",
        None,
        "what API keys are checked with: 32 characters at least, known to nobody; another one ends all keys;"
        " blank: one is made and kept in `DATA_DIR`; required in production",
        validate.Length(min=32, error="must have 32 characters at least"),
    ),
    Setting("HOST", "str", "127.0.0.1", "address that the web server binds; in development only one of loopback"),
    Setting(
        "PUBLISHED_ON_LOOPBACK",
        "bool",
        False,
        "true: in development `HOST` may be any, as in a container whose port is published on 127.0.0.1 alone;"
        " whoever reaches the port then needs no key",
    ),
    Setting(
        "PUBLISH_ADDRESS",
        "str",
        None,
        "address that the container's port is published on, set by `docker-compose.yml`; in development only one of"
        " loopback",
    ),
    Setting(
        "ALLOWED_HOSTS",
        "list",
        (),
        "names and addresses that requests may have in `Host`, e.g. `catalog.example.com`, beside those of loopback;"
        " others are answered 421, but for `/health*`; blank: in development none, in production any",
        lambda hosts: rules.each(hosts, rules.host, "is no host like catalog.example.com, without port and scheme"),
    ),
    Setting(
        "INTERNAL_HOSTS",
        "list",
        (),
        "names by which other containers reach the service, allowed in addition to `ALLOWED_HOSTS`",
        lambda hosts: rules.each(hosts, rules.host, "is no host like web, without port and scheme"),
    ),
    Setting("CATALOG_API_KEY", "str", None, "the key that `import` and `export` send"),
    Setting("PORT", "int", 5000, "port that the web server binds", validate.Range(min=1, max=65535)),
    Setting("WEB_WORKERS", "int", None, "gunicorn processes; blank: one for each core", rules.at_least(1)),
    Setting("WEB_THREADS", "int", 8, "threads of each gunicorn process", rules.at_least(1)),
    Setting(
        "STREAMS_PER_KEY",
        "int",
        None,
        "exports, `errors.csv` and event streams that one key, user or address may have at once in a process; blank:"
        " half of those that a process sends at once (a quarter of `WEB_THREADS`), at least one",
        rules.at_least(1),
    ),
    Setting(
        "PAGE_MAX_KB",
        "int",
        2_000,
        "kilobytes of rows in a page of a list: a page ends before the row that would exceed them",
        rules.at_least(1),
    ),
    Setting(
        "WEB_DRAIN_SECONDS",
        "float",
        None,
        "how long a web server that was told to end goes on answering while `/health/ready` is 503, for balancers to"
        " take it out; blank: 0 in development, 5 in production",
        rules.at_least(0),
    ),
    Setting(
        "WEB_KEEPALIVE_SECONDS",
        "int",
        75,
        "how long a connection without requests is kept: longer than the proxy before it keeps its own",
        rules.at_least(1),
    ),
    Setting("LOG_LEVEL", "str", "INFO", "lowest level that is logged"),
    Setting(
        "DATABASE_URL",
        "str",
        None,
        "PostgreSQL 18; blank: from `POSTGRES_*`, else `manage.py` starts an embedded one",
        rules.url("postgresql", "postgres"),
    ),
    Setting("POSTGRES_HOST", "str", None, "with the next four, in place of `DATABASE_URL`"),
    Setting("POSTGRES_PORT", "int", 5432, "port of `POSTGRES_HOST`"),
    Setting("POSTGRES_USER", "str", "catalog", "user of `POSTGRES_HOST`"),
    Setting("POSTGRES_PASSWORD", "str", "", "password of `POSTGRES_USER`"),
    Setting("POSTGRES_DB", "str", "catalog", "database of `POSTGRES_HOST`"),
    Setting(
        "DATABASE_REPLICA_URL",
        "str",
        None,
        "a streaming replica of it, which lists, searches and exports may read; blank: none",
        rules.url("postgresql", "postgres"),
    ),
    Setting(
        "DATABASE_REPLICA_MAX_LAG_SECONDS",
        "float",
        5.0,
        "how far that may be behind and still be read",
        validate.Range(min=1.0, max=3600.0),
    ),
    Setting("DATABASE_POOL_SIZE", "int", 5, "connections that a process keeps", rules.at_least(1)),
    Setting("DATABASE_POOL_OVERFLOW", "int", 5, "further connections under load", rules.at_least(0)),
    Setting("DATABASE_STATEMENT_TIMEOUT_SECONDS", "int", 30, "longest statement of a request", rules.at_least(1)),
    Setting(
        "DATABASE_LOCK_TIMEOUT_SECONDS",
        "int",
        5,
        "how long a request waits for what another change holds",
        rules.at_least(1),
    ),
    Setting(
        "REDIS_URL",
        "str",
        None,
        "Redis of the queues (persistent), e.g. `redis://host:6379/0`, or by its Sentinels"
        " `redis+sentinel://one:26379,two:26379/mymaster/0`; blank: embedded",
        rules.redis_url,
    ),
    Setting(
        "CACHE_REDIS_URL", "str", None, "Redis of the cache (may vanish), likewise; blank: embedded", rules.redis_url
    ),
    Setting("REDIS_HOST", "str", None, "in place of both URLs: queue in database 0, cache in database 1"),
    Setting("REDIS_PORT", "int", 6379, "port of `REDIS_HOST`"),
    Setting("REDIS_PASSWORD", "str", None, "password of `REDIS_HOST`"),
    Setting("CACHE_ENABLED", "bool", True, "false: every read asks PostgreSQL; the same for all processes"),
    Setting("CACHE_TTL_SECONDS", "int", 3600, "how long a copy is kept at most", rules.at_least(1)),
    Setting("CACHE_PREFIX", "str", "catalog", "first part of the cache's keys, where catalogs share a Redis"),
    Setting("DATA_DIR", "path", ROOT / "data", "everything that is kept on disk"),
    Setting("UPLOAD_DIR", "path", None, "uploaded files; blank: `uploads` in `DATA_DIR`"),
    Setting("UPLOAD_MAX_MB", "int", 500, "largest file that is accepted", rules.at_least(1)),
    Setting(
        "DRAFTS_PER_KEY",
        "int",
        50,
        "files that one key, user or (while the service is open) address may have in the console that are arriving or"
        " wait to be imported",
        rules.at_least(1),
    ),
    Setting(
        "STORED_MB_PER_KEY",
        "int",
        20_000,
        "megabytes of uploaded files that one of them may have stored, drafts and the files of imports together",
        rules.at_least(1),
    ),
    Setting("IMPORT_LOADERS", "int", 2, "connections that one import loads with", rules.at_least(1)),
    Setting("JOB_TIMEOUT_SECONDS", "int", 3600, "longest background job", rules.at_least(1)),
    Setting("RESULT_TTL_SECONDS", "int", 3600, "how long a job's result is kept", rules.at_least(1)),
    Setting("RETENTION_DAYS", "int", 30, "how long uploads and import histories are kept", rules.at_least(1)),
    Setting(
        "AUDIT_RETENTION_MONTHS", "int", 13, "how many months of audit are kept before this one", rules.at_least(1)
    ),
    Setting(
        "AUDIT_IMPORT_ROWS",
        "bool",
        False,
        "true: imports and bulk deletions note each product in the audit, not only how they began and ended",
    ),
    Setting(
        "ENCRYPTION_KEYS",
        "list",
        (),
        "keys of secrets at rest (32 bytes in URL-safe base64, commas between): the first encrypts, all decrypt;"
        " blank: one is made and kept in `DATA_DIR`; required in production",
        lambda keys: rules.each(keys, rules.encryption_key, "must be 32 bytes in URL-safe base64"),
    ),
    Setting(
        "WEBHOOK_ALLOWED_NETWORKS",
        "list",
        None,
        "networks that webhooks may call beyond the public internet, e.g. `10.1.0.0/16`;"
        " blank: loopback in development, none in production",
        lambda networks: rules.each(networks, ip_network, "is no network"),
    ),
    Setting(
        "WEBHOOK_ALLOWED_PORTS",
        "list",
        (80, 443, 8080, 8443),
        "ports that webhooks may call outside of those networks",
        lambda ports: rules.each(ports, int, "is no port number"),
    ),
    Setting("WEBHOOKS_PER_KEY", "int", 100, "webhooks that one key, or one user, may have", rules.at_least(1)),
    Setting("WEBHOOK_CA_FILE", "str", None, "certificates that webhooks trust; blank: those of `certifi`"),
    Setting(
        "ORDER_ENRICHMENT",
        "str",
        "required",
        "`required`: an order with a SKU that nobody knows fails; `optional`: it passes without the product",
        validate.OneOf(["required", "optional"]),
    ),
    Setting(
        "ORDER_RESERVE_STOCK", "bool", False, "true: an order takes its units from the stock, all of them or fails"
    ),
    Setting(
        "ORDER_QUEUE_REDIS_URL",
        "str",
        None,
        "Redis with a list that orders come in by, likewise; blank: none",
        rules.redis_url,
    ),
    Setting("ORDER_QUEUE_LIST", "str", "orderflow:orders", "name of that list, and first part of those beside it"),
    Setting(
        "FAKESTORE_URL",
        "str",
        None,
        "API that knows products by the number that ends a SKU, e.g. `https://fakestoreapi.com`; blank: not asked",
        rules.url("http", "https"),
    ),
    Setting(
        "FAKESTORE_TIMEOUT_SECONDS",
        "float",
        5.0,
        "longest lookup there, from the first try to the last byte; 7 at most",
        validate.Range(min=0.05, max=7.0),
    ),
    Setting(
        "GRAPHQL_INTROSPECTION",
        "bool",
        None,
        "whether GraphQL clients, GraphiQL among them, may read the schema; blank: only in development",
    ),
    _rate_setting("READS", "reads of one key or address, e.g. `100/second`; `off`: no limit"),
    _rate_setting("WRITES", "the same for writes"),
    _rate_setting("UPLOADS", "the same for megabytes of uploads"),
    _rate_setting("GRAPHQL", "the same for the cost of GraphQL operations"),
    _rate_setting("WRONG_KEYS", "the same for wrong keys from one address; a right one goes on working"),
    Setting(
        "RATE_LIMIT_SIGN_IN_NAME",
        "str",
        "10/15 minutes",
        "failed attempts to sign in with one name, or one key",
        rules.window,
    ),
    Setting("RATE_LIMIT_SIGN_IN_ADDRESS", "str", "50/15 minutes", "the same from one address", rules.window),
    Setting(
        "SESSION_IDLE_MINUTES", "int", 60, "how long a session of the console lasts that is not used", rules.at_least(1)
    ),
    Setting("SESSION_HOURS", "int", 12, "how long it lasts at most", validate.Range(min=1, max=24 * 30)),
    Setting(
        "TRUSTED_PROXIES", "int", 0, "proxies before the service whose `X-Forwarded-For` is believed", rules.at_least(0)
    ),
    Setting(
        "CORS_ORIGINS",
        "list",
        (),
        "origins whose pages may call the API, e.g. `https://shop.example.com`, or `*`, in development for reads alone;"
        " blank: none",
        lambda origins: rules.each(origins, rules.origin, "is no origin like https://shop.example.com"),
    ),
    Setting("SEED_ON_START", "bool", True, "an empty development database gets 5 sample products"),
)
