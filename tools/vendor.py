"""Fetch what the pages load in the browser, so that they need no other host: `python3 tools/vendor.py [--check]`.

The versions are pinned below; npm brings the packages. What was written is recorded in `versions.json` beside it, and
`--check` compares the files with that record, as a test does too.
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
RECORD = FOLDER / "versions.json"

# package: version, and the files to take with the names that they get
PACKAGES = {
    "react": ("18.2.0", {"umd/react.production.min.js": "react.js", "LICENSE": "LICENSE"}),
    "react-dom": ("18.2.0", {"umd/react-dom.production.min.js": "react-dom.js", "LICENSE": "LICENSE"}),
    "graphiql": ("3.8.3", {"graphiql.min.js": "graphiql.js", "graphiql.min.css": "graphiql.css", "LICENSE": "LICENSE"}),
    "@graphiql/plugin-explorer": ("1.0.2", {"dist/index.umd.js": "explorer.js", "dist/style.css": "explorer.css"}),
    "swagger-ui-dist": (
        "5.35.0",
        {
            "swagger-ui-bundle.js": "swagger-ui.js",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui.js.LICENSE",
            "swagger-ui.css": "swagger-ui.css",
            "LICENSE": "LICENSE",
            "NOTICE": "NOTICE",
        },
    ),
    "redoc": (
        "2.5.4",
        {
            "bundles/redoc.standalone.js": "redoc.js",
            "bundles/redoc.standalone.js.LICENSE.txt": "redoc.js.LICENSE",
            "LICENSE": "LICENSE",
        },
    ),
}

# What a file would load from another host, and what stands there instead. An image that cannot be loaded is left out.
REPLACED = {"redoc-2.5.4/redoc.js": ("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,")}


def fetch() -> None:
    """Replace the vendored files by those of the pinned versions; CalledProcessError if npm fails."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    record = {}
    for package, (version, files) in PACKAGES.items():
        folder = FOLDER / f"{package.rpartition('/')[2]}-{version}"
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            unpacked = _unpack(f"{package}@{version}", Path(scratch))
            for source, name in files.items():
                _copy(unpacked / source, folder / name)
        taken = {f"{folder.name}/{name}": _sha256(folder / name) for name in files.values()}
        record[package] = {"version": version, "sha256": taken}
    RECORD.write_text(json.dumps(record, indent=2) + "\n")


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
    recorded = {
        name: digest for entry in json.loads(RECORD.read_text()).values() for name, digest in entry["sha256"].items()
    }
    return [name for name, digest in recorded.items() if not _is(FOLDER / name, digest)]


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and _sha256(path) == digest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(differing()))
    fetch()
