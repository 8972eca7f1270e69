"""docker-compose.yml, Dockerfile and .dockerignore, as far as they can be read without Docker; .ci/docker runs them."""

import re
import subprocess

import pytest
import yaml

from catalog import __version__, config, jobqueue

ROOT = config.ROOT
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "COMPOSE_PROJECT_NAME" in service["image"]}
# The sender is the worker of the webhooks; the supervisor's names need not tell them apart.
PUBLISHED = "${PUBLISH_ADDRESS:-127.0.0.1}"
NAMES = {"webhooks": "worker-webhooks"}


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {NAMES.get(name, name): command for name, _, command in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize("name", procfile())
def test_every_process_of_the_procfile_is_a_service_with_the_same_command(name):
    dockerfile = (ROOT / "Dockerfile").read_text()
    of_the_image = re.search(r"^CMD \[(.*)\]", dockerfile, re.MULTILINE)[1].replace('"', "").replace(",", "")
    assert SERVICES[name].get("command", of_the_image) == procfile()[name]


def test_every_queue_has_a_worker():
    assert {f"worker-{queue}" for queue in jobqueue.QUEUES} <= set(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_every_setting_reaches_every_container(name):
    assert {setting.name for setting in config.SETTINGS} <= set(OURS[name]["environment"])


def test_settings_that_are_passed_on_have_no_second_default():
    given = COMPOSE["x-settings"]
    own = {name for name, value in given.items() if value is not None}
    assert own == {
        *(
            "HOST",
            "PUBLISHED_ON_LOOPBACK",
            "PUBLISH_ADDRESS",
            "INTERNAL_HOSTS",
            "PORT",
            "DATABASE_URL",
            "DATA_DIR",
            "UPLOAD_DIR",
            "WEB_WORKERS",
        ),
        *("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
        *("REDIS_URL", "CACHE_REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"),
    }


def test_ports_are_published_on_loopback_alone():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith(f"{PUBLISHED}:") for port in published)
    assert COMPOSE["x-settings"]["PUBLISHED_ON_LOOPBACK"] == "true"


def test_the_containers_know_where_their_ports_are_published():
    assert COMPOSE["x-settings"]["PUBLISH_ADDRESS"] == PUBLISHED


def test_containers_reach_each_web_server_by_its_name():
    assert COMPOSE["x-settings"]["INTERNAL_HOSTS"].split(",") == [name for name in SERVICES if name.startswith("web")]


def test_the_servers_are_on_the_inner_network_alone():
    assert COMPOSE["networks"]["backend"]["internal"] is True
    assert all(SERVICES[name]["networks"] == ["backend"] for name in ("postgres", "redis", "cache"))


def test_both_redis_ask_for_the_password_that_the_service_has_and_no_command_line_shows_it():
    password = "${REDIS_PASSWORD:-catalog}"
    for name, setting in (("redis", "REDIS_URL"), ("cache", "CACHE_REDIS_URL")):
        assert COMPOSE["x-settings"][setting] == f"redis://:{password}@{name}:6379/0"
        assert SERVICES[name]["environment"] == {"REDISCLI_AUTH": password}
        assert 'requirepass "$$REDISCLI_AUTH"' in SERVICES[name]["command"][-1]
        assert password not in SERVICES[name]["command"][-1]


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_can_do_nothing_but_its_work(name):
    service = OURS[name]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_limit_and_starts_again_unless_it_ends_by_itself(name):
    assert "mem_limit" in SERVICES[name]
    once = name in ("migrate", "cli", "test")
    assert SERVICES[name]["restart"] == ("no" if once else "unless-stopped")


@pytest.mark.parametrize("name", [name for name in OURS if name not in ("migrate", "cli", "test")])
def test_what_stays_up_waits_for_the_migration_and_the_servers(name):
    waits = {other: how["condition"] for other, how in OURS[name]["depends_on"].items()}
    healthy = dict.fromkeys(("postgres", "redis", "cache"), "service_healthy")
    assert waits == {"migrate": "service_completed_successfully", **healthy}


def test_only_what_starts_by_itself_is_no_profile():
    by_itself = {name for name, service in SERVICES.items() if "profiles" not in service}
    workers = {f"worker-{name}" for name in ("imports", "default", "orders", "webhooks")}
    assert by_itself == {"web", "clock", "migrate", "postgres", "redis", "cache", *workers}


def test_web_counts_in_a_folder_that_no_other_container_has():
    assert any(mount.startswith("/data/metrics:") for mount in SERVICES["web"]["tmpfs"])
    assert "data:/data" in SERVICES["web"]["volumes"]


def test_the_image_has_the_service_and_its_version_but_no_server_and_no_buildkit_syntax():
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"ARG VERSION={__version__}\n" in dockerfile
    assert "requirements-embedded" not in dockerfile
    assert not re.search(r"^# *syntax=|--mount|--chmod|--link|<<", dockerfile, re.MULTILINE)
    assert re.search(r"^USER \d+:\d+$", dockerfile, re.MULTILINE)
    assert len(re.findall(r"^FROM ", dockerfile, re.MULTILINE)) == 2


def test_nothing_gets_into_the_image_that_git_does_not_know():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = [line[1:].rstrip("/") for line in lines if line.startswith("!")]
    assert not {".env", "data", ".git", ".venv"} & set(allowed)
    missing = [name for name in allowed if not list(ROOT.glob(name))]
    assert missing == []


def test_the_probe_says_why_a_service_is_not_ready(monkeypatch):
    from tests.processes import free_port

    done = probe(free_port())
    assert done.returncode == 1
    assert "Nothing answers on port" in done.stderr


def probe(port: int) -> "subprocess.CompletedProcess[str]":
    import os
    import sys

    command = [sys.executable, "-m", "catalog.health.probe"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PORT": str(port)}, capture_output=True, text=True)


@pytest.mark.processes
def test_the_probe_passes_for_a_service_that_is_ready_and_takes_the_standard_library_alone(environment):
    import sys

    from tests.processes import served

    with served(environment) as url:
        assert probe(int(url.rpartition(":")[2])).returncode == 0
    listed = "import sys, catalog.health.probe; print([n for n in ('flask', 'environs', 'redis') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"
