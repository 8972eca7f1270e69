"""Sum the seconds of a test run by folder, from pytest's `--junitxml` report: `python3 tools/durations.py FILE [N]`.

Prints a Markdown table of folders, then the N slowest tests (default 20). Seconds are of the test processes, setup
and teardown included, so two processes have 120 of them a minute.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from xml.etree import ElementTree  # nosec B405


def main(path: str, slowest: int = 20) -> None:
    """Print both tables."""
    cases = list(read_cases(path))
    seconds: defaultdict[str, float] = defaultdict(float)
    counts = Counter[str]()
    for name, taken in cases:
        seconds[folder(name)] += taken
        counts[folder(name)] += 1
    slowest_first = sorted(seconds.items(), key=lambda pair: -pair[1])
    rows = [(place, str(counts[place]), f"{taken:.1f}") for place, taken in slowest_first]
    print_table(("folder", "tests", "seconds"), [*rows, ("all", str(len(cases)), f"{sum(seconds.values()):.1f}")])
    ranked = sorted(cases, key=lambda case: -case[1])[:slowest]
    print_table(("test", "seconds"), [(name, f"{taken:.1f}") for name, taken in ranked])


def read_cases(path: str) -> Iterator[tuple[str, float]]:
    """Yield each test's name, e.g. `tests.orders.test_live::test_x`, and its seconds."""
    for case in ElementTree.parse(path).iter("testcase"):  # noqa: S314  # nosec B314
        yield f"{case.get('classname')}::{case.get('name')}", float(case.get("time", 0))


def folder(name: str) -> str:
    """Return the folder of a test, e.g. `orders`; the file for one that lies in `tests` itself."""
    return name.split(".")[1].split("::", maxsplit=1)[0]


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a Markdown table."""
    for row in (head, tuple("---" for _ in head), *rows):
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
