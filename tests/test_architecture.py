"""The rules of ARCHITECTURE.md, read from the code itself: one test a rule, which lists every offender."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path

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
COMMITS_OF_ITS_OWN = {"imports/loading.py"}  # chunk by chunk, with its cursor: written down there


class Source:
    """A file of the package, read and parsed once for all rules, by the first that asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(PACKAGE))
        self.feature = path.parent.name if path.parent.name in FEATURES else None

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    def named(self, name: str) -> bool:
        """Whether this is the `name` module of a feature, or one of several."""
        return self.feature is not None and (self.path.stem == name or self.path.stem.endswith(f"_{name}"))

    @cached_property
    def imports(self) -> list[str]:
        """The dotted names that it imports from the package, without `catalog.`."""
        return list(self._imports())

    def _imports(self) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "catalog":
                inner = (node.module or "").removeprefix("catalog").lstrip(".")
                yield from (f"{inner}.{name.name}".lstrip(".") for name in node.names)
            elif isinstance(node, ast.Import):
                names = [name.name for name in node.names if name.name.startswith("catalog.")]
                yield from (name.removeprefix("catalog.") for name in names)

    @cached_property
    def strings(self) -> set[str]:
        return {n.value for n in self.nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}

    @cached_property
    def calls(self) -> set[str]:
        """The names of the methods that it calls."""
        return {n.func.attr for n in self.nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}

    @cached_property
    def names(self) -> set[str]:
        return {node.id for node in self.nodes if isinstance(node, ast.Name)}

    @property
    def imports_the_database(self) -> bool:
        return any(name.split(".")[0] in ("extensions", "database") for name in self.imports)


FILES = [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]
IN_FEATURES = [file for file in FILES if file.feature]


def named(*names: str) -> list[Source]:
    """Return the features' files of these names; there is at least one of each."""
    found = [[file for file in IN_FEATURES if file.named(name)] for name in names]
    assert all(found)
    return [file for files in found for file in files]


def offenders(files: Iterable[Source], forbidden: set[str], kind: str = "calls") -> list[str]:
    """Return `file: name` for every forbidden name that these files call, name or spell out."""
    return [f"{file.name}: {name}" for file in files for name in sorted(getattr(file, kind) & forbidden)]


def test_there_are_features_and_a_core_to_check():
    assert {"products", "health", "imports"} <= FEATURES
    assert {"database", "errors", "http"} <= CORE
    assert len(IN_FEATURES) > 100


def test_rule_1_across_features_only_services_are_imported():
    assert not [f"{file.name} imports {name}" for file in IN_FEATURES for name in file.imports if reaches(file, name)]


def reaches(file: Source, name: str) -> bool:
    """Whether this import takes more of another feature than may be taken."""
    feature, *inner = name.split(".")
    if feature not in FEATURES or feature == file.feature:
        return False
    return not inner or inner[0] not in {"service"} | may_take(file, feature)


def may_take(file: Source, feature: str) -> set[str]:
    """Return the modules of that feature, other than its service, that a file may import."""
    of_faces = SHARED_WITH_FACES if FACES.get(file.feature or "") == feature else set()
    of_the_console = SHARED_WITH_THE_CONSOLE if file.feature == CONSOLE else set()
    return of_faces | of_the_console | ({"resolvers"} if file.name == LISTS_RESOLVERS else set())


def test_rule_1_nothing_below_imports_routes_jobs_or_resolvers():
    below = [file for file in IN_FEATURES if file.path.stem not in TOP and file.name != LISTS_RESOLVERS]
    assert not [
        f"{file.name} imports {name}" for file in below for name in file.imports if TOP & {*name.split(".")[1:2]}
    ]


def test_rule_1_no_feature_knows_the_console():
    others = [file for file in IN_FEATURES if file.feature != CONSOLE]
    assert not [f"{file.name} imports {name}" for file in others for name in file.imports if first(name) == CONSOLE]


def first(name: str) -> str:
    return name.split(".")[0]


def test_rule_1_core_imports_no_feature():
    core = [file for file in FILES if file.path.parent == PACKAGE and file.path.stem in CORE]
    assert len(core) == len(CORE)
    assert not [f"{file.name} imports {name}" for file in core for name in file.imports if first(name) in FEATURES]


def test_rule_2_a_route_or_resolver_has_no_query_no_commit_and_no_try():
    files = named("routes", "resolvers")
    assert not offenders(files, {"commit", "rollback", "flush", "execute", "scalar", "scalars", "query"})
    assert not [file.name for file in files if any(isinstance(node, ast.Try) for node in file.nodes)]
    assert not [file.name for file in files if file.imports_the_database]


def test_rule_3_a_job_makes_one_service_call_and_takes_json():
    jobs = [
        (f"{file.name}: {node.name}", node)
        for file in named("jobs")
        for node in file.tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert not [name for name, node in jobs if len(statements(node)) != 1]
    assert not [f"{name} takes {kinds}" for name, node in jobs if not (kinds := taken(node)) <= {"str", "int", "bool"}]


def statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """Return what a function does, its docstring apart."""
    return [part for part in function.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]


def taken(function: ast.FunctionDef) -> set[str]:
    return {ast.unparse(argument.annotation) for argument in function.args.args if argument.annotation}


def test_rule_3_every_job_name_resolves():
    names = {text for file in FILES for text in file.strings if ".jobs." in text and text.startswith("catalog.")}
    assert len(names) >= 2
    assert not [name for name in sorted(names) if not resolves(name)]


def test_every_sweep_of_the_clock_resolves():
    from catalog.clock import sweeps

    assert not [sweep.function for sweep in sweeps() if not resolves(sweep.function)]


def resolves(name: str) -> bool:
    module, _, function = name.rpartition(".")
    return callable(getattr(import_module(module), function, None))


def test_rule_4_only_transaction_commits():
    others = [file for file in FILES if file.path.name != "database.py" and file.name not in COMMITS_OF_ITS_OWN]
    assert not offenders(others, {"commit"})


def test_rule_5_no_feature_maps_errors_to_http():
    assert not offenders(IN_FEATURES, {"HTTPException", "abort"}, "names")
    assert not offenders(IN_FEATURES, {"errorhandler"})


def test_rule_7_nothing_listens_to_sqlalchemys_own_after_commit():
    assert not offenders([file for file in FILES if file.path.name != "database.py"], {"after_commit"}, "strings")


def test_rule_8_schemas_never_query():
    assert not offenders(named("schemas"), {"execute", "scalar", "scalars"})
    assert not [file.name for file in named("schemas") if file.imports_the_database]


def test_every_client_of_redis_is_made_in_one_place_which_knows_sentinels():
    others = [file for file in FILES if file.path.name != "redisurl.py"]
    assert not offenders(others, {"from_url", "master_for"})
    assert not [file.name for file in others if "redis.Redis(" in file.text]


def test_no_statement_limits_a_subquery_after_in():
    """PostgreSQL may run such a subquery again for each row, and so change more rows than its LIMIT."""
    limited = re.compile(r"\bIN \(\s*SELECT\b[^;]{0,400}?\bLIMIT\b")
    assert limited.search("DELETE FROM t WHERE id IN (\n    SELECT id FROM t LIMIT 1)")
    assert not [file.name for file in FILES if limited.search(file.text)]


def test_no_file_is_longer_than_can_be_held_in_mind():
    assert not [file.name for file in FILES if len(file.text.splitlines()) > 350]


def test_test_files_that_start_processes_have_the_marker():
    starts = re.compile(r"^from tests\.(processes|forked) import .*\b(served|web_server|running)\b", re.MULTILINE)
    own_stage = ("faults", "browser", "conformance")
    files = [
        path for path in sorted((ROOT / "tests").rglob("test_*.py")) if path.parts[-2] not in (*own_stage, "console")
    ]
    assert any(map(starts.search, (path.read_text() for path in files)))
    assert not [
        path.name for path in files if starts.search(text := path.read_text()) and "pytest.mark.processes" not in text
    ]
