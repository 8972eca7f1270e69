"""Fetch what the pages load in the browser, so that they need no other host: `python3 tools/vendor.py [--check]`.

The versions are pinned in `package.json` beside this file; npm brings the packages. What was written is recorded in a
`versions.json` beside the files, and `--check` compares them with that record, as a test does too.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "catalog" / "static" / "vendor"
TEST_FOLDER = FOLDER.parent.parent.parent / "tests" / "browser" / "vendor"
RECORD = "versions.json"

ICONS = (
    *("alert-triangle", "archive", "arrow-left", "ban", "brand-graphql", "check", "chevron-left"),
    *("chevron-right", "circle-check", "clock", "code", "columns-3", "copy", "database", "download", "edit"),
    *("eye", "file-import", "file-text", "history", "key", "layout-dashboard", "list-check", "lock", "login", "logout"),
    *("moon", "package", "photo", "user-circle", "users"),
    *("player-play", "plus", "refresh", "rotate", "search", "send", "shopping-cart", "sun", "trash"),
    *("upload", "webhook", "x"),
)

VERSIONS: dict[str, str] = {
    package: version
    for kind in ("dependencies", "devDependencies")
    for package, version in json.loads((Path(__file__).parent / "package.json").read_text())[kind].items()
}

# package: the files to take with the names that they get
PACKAGES = {
    "react": {"umd/react.production.min.js": "react.js", "LICENSE": "LICENSE"},
    "react-dom": {"umd/react-dom.production.min.js": "react-dom.js", "LICENSE": "LICENSE"},
    "graphiql": {"graphiql.min.js": "graphiql.js", "graphiql.min.css": "graphiql.css", "LICENSE": "LICENSE"},
    "@graphiql/plugin-explorer": {"dist/index.umd.js": "explorer.js", "dist/style.css": "explorer.css"},
    "swagger-ui-dist": {
        "swagger-ui-bundle.js": "swagger-ui.js",
        "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui.js.LICENSE",
        "swagger-ui.css": "swagger-ui.css",
        "LICENSE": "LICENSE",
        "NOTICE": "NOTICE",
    },
    "redoc": {
        "bundles/redoc.standalone.js": "redoc.js",
        "bundles/redoc.standalone.js.LICENSE.txt": "redoc.js.LICENSE",
        "LICENSE": "LICENSE",
    },
    "@tabler/core": {"dist/css/tabler.min.css": "tabler.css"},
    "@tabler/icons": {**{f"icons/outline/{name}.svg": f"{name}.svg" for name in ICONS}, "LICENSE": "LICENSE"},
    "chart.js": {"dist/chart.umd.min.js": "chart.js", "LICENSE.md": "LICENSE"},
    "htmx.org": {"dist/htmx.min.js": "htmx.js", "LICENSE": "LICENSE"},
}

# For the tests alone: what is looked at with them is not shipped with the service.
FOR_TESTS = {"axe-core": {"axe.min.js": "axe.js", "LICENSE": "LICENSE"}}

# What a file would load from another host, and what stands there instead. An image that cannot be loaded is left out.
REPLACED = {"redoc-2.5.4/redoc.js": ("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,")}


def fetch() -> None:
    """Replace the vendored files by those of the pinned versions; CalledProcessError if npm fails."""
    for folder, packages in ((FOLDER, PACKAGES), (TEST_FOLDER, FOR_TESTS)):
        _fetch(folder, packages)


def _fetch(root: Path, packages: dict[str, dict[str, str]]) -> None:
    shutil.rmtree(root, ignore_errors=True)
    record = {}
    for package, files in packages.items():
        version = VERSIONS[package]
        folder = root / f"{package.rpartition('/')[2]}-{version}"
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            unpacked = _unpack(f"{package}@{version}", Path(scratch))
            for source, name in files.items():
                _copy(unpacked / source, folder / name)
        taken = {f"{folder.name}/{name}": _sha256(folder / name) for name in files.values()}
        record[package] = {"version": version, "sha256": taken}
    (root / RECORD).write_text(json.dumps(record, indent=2) + "\n")


def _unpack(wanted: str, folder: Path) -> Path:
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), wanted]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def _copy(source: Path, target: Path) -> None:
    """Take a file over, with what is REPLACED in it; SystemExit if that is no longer there."""
    content = source.read_bytes()
    found, instead = (part.encode() for part in REPLACED.get(f"{target.parent.name}/{target.name}", ("", "")))
    if found not in content:
        sys.exit(f"{target.name} no longer has {found!r}: see whether it loads something else from another host.")
    target.write_bytes(content.replace(found, instead) if found else content)


def differing() -> list[str]:
    """Return the recorded files that are missing or are not what was recorded."""
    return [*_differing(FOLDER), *_differing(TEST_FOLDER)]


def _differing(root: Path) -> list[str]:
    entries = json.loads((root / RECORD).read_text()).values()
    recorded = {name: digest for entry in entries for name, digest in entry["sha256"].items()}
    return [name for name, digest in recorded.items() if not _is(root / name, digest)]


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and _sha256(path) == digest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(differing()) or 0)
    fetch()
