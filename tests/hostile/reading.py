"""Read workbooks in a process of its own, and say how that went: python -m tests.hostile.reading FOLDER."""

import json
import resource
import sys
from contextlib import suppress
from pathlib import Path

from catalog.errors import CatalogError
from catalog.imports import sources

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main(folder: Path) -> None:
    found = {path.name: read(path) for path in sorted(folder.glob("*.xlsx"))}
    print(json.dumps(found))


def read(path: Path) -> dict[str, object]:
    """Return how reading ended, what it took, and the most memory that the process had meanwhile."""
    pieces = rows = refused = 0

    def tick() -> None:
        nonlocal pieces
        pieces += 1

    with suppress(OSError):
        CLEAR.write_text("5")  # the peak begins anew
    outcome = "read"
    try:
        source = sources.of(path, path.name, {}, tick)
        header = source.header({})
        for _, _, problem in source.records(source.survey(1 << 20), header, 1 << 20):
            rows, refused = rows + 1, refused + (problem is not None)
    except CatalogError as error:
        outcome = f"{error.status} {error.detail}"
    return {"outcome": outcome, "rows": rows, "refused": refused, "pieces": pieces, "peak_mb": peak_mb()}


def peak_mb() -> float:
    # Not ru_maxrss on Linux: it also counts what the parent had when it started this process.
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
