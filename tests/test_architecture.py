"""The rules of ARCHITECTURE.md, read from the code itself."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "catalog"
FEATURES = {folder.name for folder in PACKAGE.iterdir() if (folder / "routes.py").exists()}
CORE = {path.stem for path in PACKAGE.glob("*.py")} - {"app", "cli", "__init__"}
TOP = {"routes", "resolvers", "jobs", "commands"}
FACES = {"shop": "products"}  # another face of a feature, which shares its shapes and its cached reads too
SHARED_WITH_FACES = {"models", "schemas", "reads"}
# The console is a face of every feature: it takes what their own routes take, and what is made for people alone.
CONSOLE = "console"
SHARED_WITH_THE_CONSOLE = {"export", "history", "mappings", "replay", "selection", "events", "arrivals"} | {
    *("schemas", "answers", "mapping_schemas", "history_schemas"),
    *("corrections", "deadletters", "drafts", "dry_run"),
}
LISTS_RESOLVERS = "graphql_api/schema.py"  # as app.py lists the routes
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports from the package, without `catalog.`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "catalog":
            inner = (node.module or "").removeprefix("catalog").lstrip(".")
            for name in node.names:
                yield f"{inner}.{name.name}".lstrip(".")
        elif isinstance(node, ast.Import):
            yield from (name.name.removeprefix("catalog.") for name in node.names if name.name.startswith("catalog."))


def feature_files() -> list[Path]:
    return [path for path in FILES if path.parent.name in FEATURES]


def strings(path: Path) -> Iterator[str]:
    return (n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(PACKAGE)) for path in paths]


def test_there_are_features_and_a_core_to_check():
    assert {"products", "health", "imports"} <= FEATURES
    assert {"database", "errors", "http"} <= CORE


def by_name(name: str) -> list[Path]:
    return [path for path in feature_files() if path.stem == name or path.stem.endswith(f"_{name}")]


@pytest.mark.parametrize("path", feature_files(), ids=ids(feature_files()))
def test_rule_1_across_features_only_services_are_imported(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] in FEATURES and parts[0] != path.parent.name:
            shared = SHARED_WITH_FACES if FACES.get(path.parent.name) == parts[0] else set()
            shared |= SHARED_WITH_THE_CONSOLE if path.parent.name == CONSOLE else set()
            assert len(parts) > 1, f"{name} is not a service"
            listed = {"resolvers"} if path.match(LISTS_RESOLVERS) else set()
            assert parts[1] in {"service"} | shared | listed, f"{path.name} reaches into {name}"


@pytest.mark.parametrize("path", feature_files(), ids=ids(feature_files()))
def test_rule_1_nothing_below_imports_routes_jobs_or_resolvers(path):
    if path.stem in TOP or path.match(LISTS_RESOLVERS):
        return
    for name in imports(path):
        assert name.split(".")[1:2] not in [[top] for top in TOP], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", feature_files(), ids=ids(feature_files()))
def test_rule_1_no_feature_knows_the_console(path):
    if path.parent.name != CONSOLE:
        assert not any(name.split(".")[0] == CONSOLE for name in imports(path))


@pytest.mark.parametrize("name", sorted(CORE))
def test_rule_1_core_imports_no_feature(name):
    for imported in imports(PACKAGE / f"{name}.py"):
        assert imported.split(".")[0] not in FEATURES


@pytest.mark.parametrize(
    "path", by_name("routes") + by_name("resolvers"), ids=lambda path: path.parent.name + "." + path.stem
)
def test_rule_2_a_route_or_resolver_has_no_query_no_commit_and_no_try(path):
    forbidden = {"commit", "rollback", "flush", "execute", "scalar", "scalars", "query"}
    assert forbidden.isdisjoint(calls(path))
    assert not any(isinstance(node, ast.Try) for node in ast.walk(tree(path)))
    assert not any(name.split(".")[0] in ("extensions", "database") for name in imports(path))


@pytest.mark.parametrize("path", by_name("jobs"), ids=ids(by_name("jobs")))
def test_rule_3_a_job_makes_one_service_call_and_takes_json(path):
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            body = [
                part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
            assert len(body) == 1, f"{node.name} does more than call its service"
            kinds = {ast.unparse(argument.annotation) for argument in node.args.args if argument.annotation}
            assert kinds <= {"str", "int", "bool"}, f"{node.name} takes {kinds}"


def job_names() -> list[str]:
    found = {text for path in FILES for text in strings(path) if ".jobs." in text and text.startswith("catalog.")}
    return sorted(found)


def test_rule_3_jobs_are_named_somewhere():
    assert len(job_names()) >= 2


@pytest.mark.parametrize("name", job_names())
def test_rule_3_every_job_name_resolves(name):
    module, _, function = name.rpartition(".")
    assert callable(getattr(import_module(module), function))


def test_every_sweep_of_the_clock_resolves():
    from catalog.clock import sweeps

    for sweep in sweeps():
        module, _, function = sweep.function.rpartition(".")
        assert callable(getattr(import_module(module), function))


COMMITS_OF_ITS_OWN = {"imports/loading.py"}  # chunk by chunk, with its cursor: written down there


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_rule_4_only_transaction_commits(path):
    if path.name == "database.py" or str(path.relative_to(PACKAGE)) in COMMITS_OF_ITS_OWN:
        return
    assert "commit" not in set(calls(path))


@pytest.mark.parametrize("path", feature_files(), ids=ids(feature_files()))
def test_rule_5_no_feature_maps_errors_to_http(path):
    names = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    assert names.isdisjoint({"HTTPException", "abort"})
    assert "errorhandler" not in set(calls(path))


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_rule_7_nothing_listens_to_sqlalchemys_own_after_commit(path):
    if path.name != "database.py":
        assert "after_commit" not in set(strings(path))


@pytest.mark.parametrize("path", by_name("schemas"), ids=ids(by_name("schemas")))
def test_rule_8_schemas_never_query(path):
    assert not any(name.split(".")[0] in ("extensions", "database") for name in imports(path))
    assert {"execute", "scalar", "scalars"}.isdisjoint(calls(path))


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_every_client_of_redis_is_made_in_one_place_which_knows_sentinels(path):
    if path.name != "redisurl.py":
        assert {"from_url", "master_for"}.isdisjoint(calls(path))
        assert "redis.Redis(" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_no_file_is_longer_than_can_be_held_in_mind(path):
    assert len(path.read_text().splitlines()) <= 350
