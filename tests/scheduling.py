"""Distribution of tests over the test processes: by file, and by folder where the tests of a folder share servers.

pytest-xdist's `loadgroup` does this by markers, which pytest 9.2 no longer lets it write into the tests' ids.
"""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent.parent
SHARED = ('scope="package"', 'scope="session"')


class FolderScheduling(LoadScopeScheduling):
    """Gives a test process one unit after the other, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return folder_of_servers(path) or path


@cache
def folder_of_servers(path: str) -> str:
    """Return the folder of a test file, where a fixture of its conftest.py is shared by the folder; else blank."""
    folder = Path(path).parent
    conftest = ROOT / folder / "conftest.py"
    is_shared = str(folder) != "tests" and conftest.exists() and any(scope in conftest.read_text() for scope in SHARED)
    return str(folder) if is_shared else ""
