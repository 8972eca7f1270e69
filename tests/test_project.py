"""The files around the code: license, changelog, continuous integration, updates, hooks and formatting."""

import json
import os
import re
import tomllib
from datetime import date

import pytest
import yaml

from catalog import __version__
from catalog.cli import main
from catalog.commands.linting import tracked_files
from catalog.config import ROOT

if not (ROOT / ".github").exists():
    pytest.skip("this copy is not the whole repository", allow_module_level=True)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
JOBS = WORKFLOW["jobs"]
PYTHONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3." in name]
COMMANDS = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
MANIFESTS = {
    "uv": "pyproject.toml",
    "docker": "Dockerfile",
    "docker-compose": "docker-compose.yml",
    "github-actions": ".github/workflows/ci.yml",
    "npm": "package.json",
}
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def test_license_is_named_and_included():
    assert PROJECT["license"] == "MIT"
    assert [(ROOT / name).read_text()[:11] for name in PROJECT["license-files"]] == ["MIT License"]
    assert (ROOT / PROJECT["readme"]).exists()


def test_python_versions_start_at_the_oldest_supported_one():
    assert PROJECT["requires-python"].startswith(f">={PYTHONS[0]}")
    minors = [int(version.removeprefix("3.")) for version in PYTHONS]
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_workflow_runs_every_python_version_that_pyproject_names():
    assert JOBS["linux"]["strategy"]["matrix"]["python"] == PYTHONS
    assert JOBS["macos"]["strategy"]["matrix"]["python"] == [PYTHONS[0], PYTHONS[-1]]


def test_image_has_the_newest_python_version():
    images = re.findall(r"^FROM python:([\d.]+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert images == [PYTHONS[-1]] * 2


def test_workflow_runs_on_both_processors_and_on_macos():
    runners = JOBS["linux"]["strategy"]["matrix"]["runner"]
    assert [name.endswith("-arm") for name in runners] == [False, True]
    assert JOBS["docker"]["strategy"]["matrix"]["runner"] == runners
    assert JOBS["macos"]["runs-on"].startswith("macos-")


def test_workflow_calls_only_scripts_and_verbs_that_exist():
    scripts = [ROOT / command for command in COMMANDS if command.startswith(".ci/")]
    assert scripts == [ROOT / ".ci" / "run", ROOT / ".ci" / "docker"]
    assert all(os.access(script, os.X_OK) for script in scripts)
    verbs = [command.split()[2] for command in COMMANDS if "manage.py" in command]
    assert verbs == ["test"]
    assert set(verbs) <= set(main.commands)


def test_workflow_can_change_nothing_and_ends():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())


def test_dependabot_updates_every_kind_of_dependency():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    directories = {update["package-ecosystem"]: update["directory"].lstrip("/") for update in updates}
    assert set(directories) == set(MANIFESTS)
    assert all((ROOT / directory / MANIFESTS[name]).exists() for name, directory in directories.items())


def test_vendored_libraries_have_the_versions_of_package_json():
    wanted = json.loads((ROOT / "tools" / "package.json").read_text())
    folders = {"dependencies": "catalog/static/vendor", "devDependencies": "tests/browser/vendor"}
    for kind, folder in folders.items():
        record = json.loads((ROOT / folder / "versions.json").read_text())
        assert {name: entry["version"] for name, entry in record.items()} == wanted[kind], "run tools/vendor.py"


def test_pre_commit_runs_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["python3 manage.py lint"]
    assert not hooks[0]["pass_filenames"]


def test_changelog_lists_versions_newest_first_with_their_dates():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert all(released), headings
    versions = [tuple(map(int, match[1].split("."))) for match in released]
    assert versions == sorted(set(versions), reverse=True)
    assert all(date.fromisoformat(match[2]) for match in released)
    assert __version__ in [match[1] for match in released]


def test_changelog_groups_changes_by_kind():
    groups = re.findall(r"^### (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(groups) <= set(KINDS)


def test_text_files_are_formatted_as_editorconfig_says():
    files = [ROOT / name for name in tracked_files()]
    if not files:
        pytest.skip("this copy is not under git")
    texts = {path: path.read_bytes() for path in files if path.is_file()}
    texts = {path: content for path, content in texts.items() if content and b"\0" not in content}
    assert [path for path, content in texts.items() if not content.endswith(b"\n")] == []
    assert [path for path, content in texts.items() if re.search(rb"[ \t]\r?$", content, re.MULTILINE)] == []
    assert [path for path, content in texts.items() if b"\r\n" in content and path.suffix != ".bat"] == []
