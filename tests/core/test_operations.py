"""docs/operations.md and the alerts speak of what there is: metrics, settings, verbs, statements, files."""

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from catalog import config
from catalog.cli import main
from catalog.config import ROOT
from catalog.extensions import db

GUIDE = (ROOT / "docs" / "operations.md").read_text()
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
SETTINGS = {setting.name for setting in config.SETTINGS}
OF_OTHERS = {"PROMETHEUS_MULTIPROC_DIR", "COMPOSE_PROFILES", "FLUSHDB", "VACUUM", "ANALYZE"}


def exposed(client) -> dict[str, list]:
    """Return what /metrics shows of ours: the samples by the name of their metric."""
    client.get("/api/v1/products")
    families = text_string_to_metric_families(client.get("/metrics").text)
    ours = (family for family in families if re.match("catalog_(?!.*_created$)", family.name))
    found = {family.name: family for family in ours}
    return {name + "_total" * (family.type == "counter"): family.samples for name, family in found.items()}


def test_the_guide_lists_every_metric_and_no_other(client):
    listed = re.findall(r"^\| `(catalog_\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(listed) == sorted(exposed(client))


def test_the_labels_are_those_of_the_guide(client):
    told = dict(re.findall(r"^\| `(catalog_\w+)` \|([^|]*)\|", GUIDE, re.MULTILINE))
    for name, samples in exposed(client).items():
        labels = {label for sample in samples for label in sample.labels} - {"le"}
        assert labels <= set(re.findall(r"\w+", told[name])), name


def test_every_kind_of_backlog_that_alerts_ask_for_is_there(client):
    shown = {sample.labels["kind"] for sample in exposed(client)["catalog_backlog_oldest_seconds"]}
    asked = {kind for alert in ALERTS for kind in re.findall(r'kind="(\w+)"', alert["expr"])}
    assert asked == shown


def test_alerts_ask_for_metrics_that_there_are(client):
    shown = exposed(client)
    samples = {*shown, *(sample.name for found in shown.values() for sample in found)}
    asked = {name for alert in ALERTS for name in re.findall(r"catalog_\w+", alert["expr"])}
    assert asked <= samples
    assert len(asked) > 4


def test_the_guide_has_each_alert():
    listed = re.findall(r"`(Catalog\w+)`", GUIDE[GUIDE.index("| alert | see |") : GUIDE.index("**Logs**")])
    assert sorted(listed) == sorted(alert["alert"] for alert in ALERTS)


def test_prometheus_takes_the_rules():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    assert subprocess.run([promtool, "check", "rules", RULES], check=False).returncode == 0


def test_settings_that_the_guide_names_exist():
    named = set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b", GUIDE)) - OF_OTHERS
    assert named <= SETTINGS | {"RATE_LIMIT_READS"}


def test_verbs_that_the_guide_names_exist():
    named = set(re.findall(r"(?:manage\.py|docker\.sh) ([a-z-]+)", GUIDE))
    assert named
    assert named <= set(main.commands)


def test_paths_that_the_guide_names_are_answered(app):
    rules = {re.sub(r"<[^>]+>", "{}", rule.rule) for rule in app.url_map.iter_rules()}
    named = re.findall(r"(?:GET|PUT|POST|DELETE) (/[\w/{}-]+)", GUIDE)
    assert named
    assert {re.sub(r"{\w+}", "{}", path) for path in named} <= rules


def test_files_that_the_guide_names_exist():
    links = [link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if not link.startswith("http")]
    files = re.findall(r"`((?:deploy|tests|bench)/[\w./-]+)`", GUIDE)
    missing = [link for link in links if not (ROOT / "docs" / link).exists()]
    missing += [name for name in files if name != "deploy/kubernetes/" and not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("statement", re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL))
def test_statements_of_the_guide_run(context, statement):
    db.session.execute(text(statement)).all()
