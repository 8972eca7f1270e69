"""deploy/kubernetes: every object is what Kubernetes' own schemas say, and the objects and the service fit together."""

import ipaddress
import re
import shlex
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from catalog.config import ROOT, SETTINGS
from catalog.jobqueue import QUEUES
from tests.deploy.kustomize import name_of, rendered

FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.30", "1.37")  # the oldest that knows a preStop that sleeps, and the newest
WITHOUT_SCHEMA = {"ServiceMonitor"}  # a custom resource of the Prometheus operator, whose schema no package has
SECRETS = {"DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS"}
GRACE_SECONDS = 20  # gunicorn.conf.py's, in production
PLACES = ("base", "overlays/production")
PRODUCTION = rendered(FOLDER / "overlays/production")


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [each for each in PRODUCTION if each["kind"] in kinds]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in of_kind(kind) if name_of(each) == name)
    return found


PODS = {name_of(each): each["spec"]["template"] for each in of_kind("Deployment", "Job")}
every_pod = pytest.mark.parametrize("name", PODS)


def containers(name: str) -> list[dict[str, Any]]:
    spec = PODS[name]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def fits(selector: dict[str, str], template: dict[str, Any]) -> bool:
    return selector.items() <= template["metadata"]["labels"].items()


def chosen(selector: dict[str, Any]) -> set[str]:
    """Return the pods that a label selector selects."""
    return {name for name, template in PODS.items() if fits(selector["matchLabels"], template)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", PLACES)
def test_every_object_is_valid_and_has_no_field_that_kubernetes_does_not_know(place, version):
    objects = rendered(FOLDER / place)
    for each in objects:
        if each["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(each, version, strict=True)
    assert len(objects) > 15


def test_the_check_would_find_a_field_that_is_misspelled():
    broken = named("Deployment", "catalog-web")
    broken = {**broken, "spec": {**broken["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl to compare with")
@pytest.mark.parametrize("place", PLACES)
def test_kubectl_renders_the_same(place):
    command = ["kubectl", "kustomize", str(FOLDER / place)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    unhashed = re.sub(r"(catalog-settings)-[a-z0-9]{10}", r"\1", answer)
    theirs = {(each["kind"], name_of(each)): each for each in yaml.safe_load_all(unhashed)}
    assert {(each["kind"], name_of(each)): each for each in rendered(FOLDER / place)} == theirs


def test_a_service_monitor_has_what_the_prometheus_operator_wants():
    (monitor,) = of_kind("ServiceMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"].keys() == {"selector", "endpoints"}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint.keys() == {"port", "path", "interval", "authorization"}
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "catalog-metrics-key", "key": "key"}}
    service = named("Service", "catalog")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


@pytest.mark.parametrize("kind", ["Deployment", "PodDisruptionBudget"])
def test_what_selects_pods_selects_its_own_and_no_other(kind):
    for each in of_kind(kind):
        assert chosen(each["spec"]["selector"]) == {name_of(each)}


def test_the_service_leads_to_the_port_of_the_web_server(app):
    service = named("Service", "catalog")
    assert chosen({"matchLabels": service["spec"]["selector"]}) == {"catalog-web"}
    (port,) = containers("catalog-web")[-1]["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert str(port["containerPort"]) == named("ConfigMap", "catalog-settings")["data"]["PORT"]
    (path,) = named("Ingress", "catalog")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "catalog", "port": {"name": service["spec"]["ports"][0]["name"]}}


def test_the_autoscaler_scales_the_web_server_which_names_no_number_itself():
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    assert "replicas" not in named(target["kind"], target["name"])["spec"]
    assert target["name"] == "catalog-web"
    assert scaler["spec"]["minReplicas"] >= 2


def test_the_paths_that_are_probed_and_scraped_exist(app):
    known = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    web = containers("catalog-web")[-1]
    probed = {web[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probed == {"/health/live", "/health/ready"}
    assert web["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert web["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert probed | {of_kind("ServiceMonitor")[0]["spec"]["endpoints"][0]["path"]} <= known


def test_every_setting_that_is_given_is_one_and_no_secret_is_among_them():
    names = {setting.name for setting in SETTINGS}
    (config,) = of_kind("ConfigMap")
    given = {each["name"] for name in PODS for container in containers(name) for each in container.get("env", [])}
    assert config["data"].keys() | given <= names
    assert names >= SECRETS
    assert not SECRETS & config["data"].keys()
    assert of_kind("Secret") == []
    assert config["data"]["CATALOG_ENV"] == "production"
    assert int(config["data"]["TRUSTED_PROXIES"]) == len(of_kind("Ingress"))


def test_the_settings_together_with_the_secret_are_complete(monkeypatch):
    from catalog import config

    secret = {"SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "A" * 43 + "=", "DATABASE_URL": "postgresql://h/c"}
    redis = "redis+sentinel://one,two,three/mymaster/0"
    for name in (setting.name for setting in SETTINGS):
        monkeypatch.delenv(name, raising=False)
    secret |= {"REDIS_URL": redis, "CACHE_REDIS_URL": redis}
    for name, value in {**named("ConfigMap", "catalog-settings")["data"], **secret}.items():
        monkeypatch.setenv(name, value)
    assert secret.keys() == SECRETS
    assert config.load()["HOST"] == "0.0.0.0"


def test_the_readme_names_the_keys_of_the_secret():
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## Many machines")[2].partition("\n## ")[0]
    assert all(name in section for name in SECRETS)
    assert "catalog-secrets" in section
    assert "catalog-metrics-key" in section


@every_pod
def test_every_container_is_confined_and_asks_for_what_it_needs(name):
    spec = PODS[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] == 10001  # the image's
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    for container in containers(name):
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"]
        assert confined["allowPrivilegeEscalation"] is False
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


@every_pod
def test_every_container_has_the_one_image_the_settings_and_the_secret(name):
    for container in containers(name):
        assert container["image"] == "registry.example.com/catalog:0.1.0"
        references = [next(iter(each.values()))["name"] for each in container["envFrom"]]
        assert references == ["catalog-settings", "catalog-secrets"]


@every_pod
def test_what_is_mounted_is_there_and_what_is_written_to_is_mounted(name):
    volumes = {volume["name"]: volume for volume in PODS[name]["spec"]["volumes"]}
    for container in containers(name):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) <= volumes.keys()
        assert {"/tmp", "/data"} <= mounts.keys()
    claims = [volume["persistentVolumeClaim"] for volume in volumes.values() if "persistentVolumeClaim" in volume]
    assert {claim["claimName"] for claim in claims} <= {name_of(each) for each in of_kind("PersistentVolumeClaim")}


def test_uploads_are_where_they_are_written_read_and_removed():
    settings = named("ConfigMap", "catalog-settings")["data"]
    for name in ("catalog-web", "catalog-worker-imports", "catalog-clock"):
        mounts = {mount["mountPath"]: mount["name"] for mount in containers(name)[-1]["volumeMounts"]}
        assert mounts[settings["UPLOAD_DIR"]] == "uploads"
        assert mounts[settings["DATA_DIR"]] == "data"
    assert named("PersistentVolumeClaim", "catalog-uploads")["spec"]["accessModes"] == ["ReadWriteMany"]


def test_there_is_a_deployment_for_each_line_of_the_procfile_with_its_very_command():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    image = 'CMD ["python", "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]'
    assert image in (ROOT / "Dockerfile").read_text()
    commands = {name_of(each): containers(name_of(each))[-1].get("args") for each in of_kind("Deployment")}
    expected = {f"catalog-{name}": shlex.split(command) for name, command in lines.items()}
    assert {**commands, "catalog-web": expected["catalog-web"]} == expected
    assert commands["catalog-web"] is None  # the image's own
    assert {f"catalog-worker-{queue}" for queue in QUEUES} <= commands.keys()


def test_the_migration_runs_once_and_whatever_needs_it_waits_for_it():
    from catalog.cli import main

    assert containers("catalog-migration")[-1]["args"] == ["python", "-m", "catalog.cli", "prepare"]
    for each in of_kind("Deployment"):
        (waiting,) = each["spec"]["template"]["spec"]["initContainers"]
        assert waiting["args"][-1] in main.commands
        assert waiting["args"] == ["python", "-m", "catalog.cli", "await-migration"]


def test_a_rolling_update_loses_no_request():
    web = named("Deployment", "catalog-web")["spec"]
    assert web["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    spec = web["template"]["spec"]
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause >= 5
    assert spec["terminationGracePeriodSeconds"] > pause + GRACE_SECONDS
    readiness = spec["containers"][0]["readinessProbe"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] <= pause


def test_nothing_reaches_a_pod_but_the_proxy_and_prometheus_at_the_web_server():
    policies = {name_of(each): each["spec"] for each in of_kind("NetworkPolicy")}
    everything = policies["catalog-servers"]
    assert chosen(everything["podSelector"]) == set(PODS)
    assert set(everything["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in everything
    let_in = [name for name, spec in policies.items() if "ingress" in spec]
    assert let_in == ["catalog-web"]
    assert chosen(policies["catalog-web"]["podSelector"]) == {"catalog-web"}


def test_only_what_calls_others_reaches_the_internet_and_then_no_private_network():
    policy = named("NetworkPolicy", "catalog-internet")["spec"]
    assert chosen(policy["podSelector"]) == {"catalog-web", "catalog-webhooks", "catalog-worker-orders"}
    (rule,) = policy["egress"]
    closed = [ipaddress.ip_network(net) for block in rule["to"] for net in block["ipBlock"]["except"]]
    for address in ("10.0.0.1", "169.254.169.254", "172.20.0.1", "192.168.1.1", "127.0.0.1", "fd00::1", "fe80::1"):
        assert any(ipaddress.ip_address(address) in net for net in closed)
    allowed = next(setting.default for setting in SETTINGS if setting.name == "WEBHOOK_ALLOWED_PORTS")
    assert tuple(port["port"] for port in rule["ports"]) == allowed
