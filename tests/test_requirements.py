"""pyproject.toml, uv.lock and requirements*.txt say the same, and what they pin can be installed without a compiler."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

from catalog import __version__
from catalog.commands.requirements import EXPORTS, exported
from catalog.config import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, GROUPS = PYPROJECT["project"], PYPROJECT["dependency-groups"]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
(OURS,) = [package for package in LOCK["package"] if "virtual" in package["source"]]
LOCKED = [package for package in LOCK["package"] if package is not OURS]
PYTHONS = [(3, minor) for minor in range(11, 15)]
PLATFORMS = {
    "linux-x86_64": [
        *(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)),
        "manylinux2014_x86_64",
        "manylinux1_x86_64",
    ],
    "linux-aarch64": [*(f"manylinux_2_{minor}_aarch64" for minor in range(28, 16, -1)), "manylinux2014_aarch64"],
    "macos-arm64": list(mac_platforms((14, 0), "arm64")),
}
# Nothing imports these by name: SQLAlchemy loads its driver, and the others are programs.
NOT_IMPORTED = {
    "gunicorn",
    "psycopg2-binary",
    "bandit",
    "check-jsonschema",
    "detect-secrets",
    "mypy",
    "oxlint",
    "pytest-xdist",
    "ruff",
    "uv",
}


def asked(requirements: list[str]) -> dict[str, SpecifierSet]:
    parsed = [Requirement(one) for one in requirements if isinstance(one, str)]
    return {canonicalize_name(one.name): one.specifier for one in parsed}


def recorded(requirements: list[dict[str, str]]) -> dict[str, SpecifierSet]:
    return {one["name"]: SpecifierSet(one.get("specifier", "")) for one in requirements}


def group(name: str) -> dict[str, SpecifierSet]:
    """Return the requirements of a group and of those that it includes."""
    included = [one["include-group"] for one in GROUPS[name] if isinstance(one, dict)]
    return {name: rule for each in included for name, rule in group(each).items()} | asked(GROUPS[name])


def test_the_lock_was_made_from_these_dependencies():
    assert recorded(OURS["metadata"]["requires-dist"]) == asked(PROJECT["dependencies"])
    locked = OURS["metadata"]["requires-dev"]
    assert {name: recorded(locked.get(name, [])) for name in GROUPS} == {name: group(name) for name in GROUPS}
    assert SpecifierSet(LOCK["requires-python"]) == SpecifierSet(PROJECT["requires-python"])


def test_what_is_locked_is_what_the_dependencies_allow():
    rules = [asked(PROJECT["dependencies"]), *map(group, GROUPS)]
    versions = {package["name"]: package["version"] for package in LOCKED}
    wrong = [name for rule in rules for name, allowed in rule.items() if versions[name] not in allowed]
    assert wrong == []


def test_every_dependency_has_a_lower_bound():
    rules = {**asked(PROJECT["dependencies"]), **{name: rule for one in GROUPS for name, rule in group(one).items()}}
    assert [name for name, rule in rules.items() if not any(part.operator == ">=" for part in rule)] == []


@pytest.mark.parametrize("name", EXPORTS)
def test_a_requirement_file_is_the_export_of_the_lock(name):
    assert (ROOT / name).read_text() == exported(*EXPORTS[name])


def test_every_requirement_file_is_an_export_and_pins_with_hashes():
    assert {path.name for path in ROOT.glob("requirements*.txt")} == set(EXPORTS)
    for name in EXPORTS:
        lines = (ROOT / name).read_text().replace("\\\n", "").splitlines()
        pins = [line for line in lines if not line.lstrip().startswith("#")]
        assert all(re.match(r"[\w-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in pins), name
        assert pins, name


def test_the_lock_names_no_index_but_the_public_one():
    hosts = set(re.findall(r"\w+://[^/\"]+", (ROOT / "uv.lock").read_text()))
    assert hosts == {"https://pypi.org", "https://files.pythonhosted.org"}
    assert not any("://" in (ROOT / name).read_text() for name in EXPORTS)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: "{}.{}".format(*python))
def test_every_package_has_a_wheel_for_each_supported_python_and_platform(python, platform):
    platforms = PLATFORMS[platform]
    fitting = {*cpython_tags(python, platforms=platforms), *compatible_tags(python, "cp3", platforms)}
    missing = [package["name"] for package in LOCKED if not fitting & wheel_tags(package)]
    assert missing == []


def wheel_tags(package: dict) -> set:
    names = [wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", [])]
    return {tag for name in names for tag in parse_wheel_filename(name)[3]}


def test_manage_py_refuses_the_pythons_that_pyproject_refuses():
    check = re.search(r"if not \(3, (\d+)\) <= sys.version_info < \(3, (\d+)\)", (ROOT / "manage.py").read_text())
    assert PROJECT["requires-python"] == f">=3.{check[1]},<3.{check[2]}"
    assert [(3, minor) for minor in range(int(check[1]), int(check[2]))] == PYTHONS


def test_the_version_is_that_of_pyproject():
    assert __version__ == PROJECT["version"]


def imported(*places: str) -> Iterator[str]:
    """Yield the packages that files and folders import, but those of the standard library and ours."""
    files = [path for place in places for path in ROOT.glob(place)]
    own = {"catalog", "tests", "bench", "wsgi", "vendor", "_typeshed", *sys.stdlib_module_names}
    for node in (node for path in files for node in ast.walk(ast.parse(path.read_text()))):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        yield from (name.split(".")[0] for name in names if name.split(".")[0] not in own)


def distributions(names: Iterator[str]) -> set[str]:
    """Return the packages to which imported names belong; what is not installed here stands under its own name."""
    known = packages_distributions()
    return {canonicalize_name(known.get(name, [name])[0]) for name in names}


def test_what_the_code_imports_are_the_dependencies():
    used = distributions(imported("catalog/**/*.py", "migrations/**/*.py", "wsgi.py", "gunicorn.conf.py"))
    assert used == set(asked(PROJECT["dependencies"])) - (NOT_IMPORTED - used)


def test_what_the_tests_import_are_the_dependencies_of_development():
    used = distributions(imported("tests/**/*.py"))
    offered = set(asked(PROJECT["dependencies"])) | set(group("dev")) | set(group("browser"))
    assert used - offered == set()
    unused = set(group("dev")) - used - NOT_IMPORTED
    assert [name for name in unused if not name.startswith("types-")] == []
