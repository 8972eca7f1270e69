"""Makes the report of what was measured: the table, the bars and what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.imports.rounds import Rounds, Watched
from bench.kit.figures import Bar, Timing, percentile
from bench.kit.report import Report, Table

COLUMNS = ("contender", "rows", "seconds", "from - to", "rows/s", "x a", "x a2", "rows/s : b")


@dataclass
class Measured:
    """Everything that one run of the benchmark measured; the memory run is None where none was asked for."""

    machine: dict[str, Any]
    rounds: Rounds
    memory_run: tuple[Timing, Watched] | None


def report(measured: Measured) -> Report:
    """Return the report of a run."""
    timings = list(measured.rounds.timings.values())
    watched = [("worker", measured.rounds.watched)]
    if measured.memory_run:
        timings.append(measured.memory_run[0])
        watched.append(("worker+", measured.memory_run[1]))
    return Report(
        name="import",
        title="Imports, from the file to the table",
        machine={**measured.machine, "PostgreSQL": measured.rounds.arena.server_version},
        facts={
            "contenders": [timing.as_dict() for timing in timings],
            "search_index": _search_index(measured.rounds.timings),
            "health_ms": _answers(measured.rounds.watched.answers),
            "memory_mb": {name: {"job": each.job_memory, "tree": each.tree_memory} for name, each in watched},
            "trailing_seconds": measured.rounds.watched.trailing,
        },
        tables=[Table("Imports", COLUMNS, [_row(timing, measured.rounds.timings) for timing in timings])],
        bars=bars(measured),
        notes=_notes(measured),
    )


def bars(measured: Measured) -> list[Bar]:
    """Return the figures to reach, with what was measured for each."""
    times, watched = measured.rounds.timings, measured.rounds.watched
    a, a2, b, d, e, f = (times[key] for key in ("a", "a2", "b", "d", "e", "f"))
    found = [
        Bar("d : a, time", d.median / a.median, "<=", 2.0),
        Bar("d : a2, time", d.median / a2.median, "<=", 3.0),
        Bar("d : b, rows/s", d.pace / b.pace, ">=", 8.0),
        Bar("e : a, time", e.median / a.median, "<=", 1.0),
        Bar("f : d, rows/s", f.pace / d.pace, ">=", 0.5),
        Bar(f"importing worker's memory, {d.rows:,} rows", _peak(watched.job_memory), "<=", 150, " MB"),
        Bar("GET /health/live while d runs, p99", _p99(watched.answers), "<", 250, " ms"),
    ]
    if measured.memory_run:
        timing, seen = measured.memory_run
        found.append(Bar(f"importing worker's memory, {timing.rows:,} rows", _peak(seen.job_memory), "<=", 150, " MB"))
    return found


def _row(timing: Timing, times: dict[str, Timing]) -> list[str]:
    spread = f"{min(timing.seconds):.2f} - {max(timing.seconds):.2f}"
    whole = timing.rows == times["a"].rows
    ratios = [f"{timing.median / times[key].median:.2f}" if whole else "" for key in ("a", "a2")]
    pace = [f"{timing.pace:,.0f}", *ratios, f"{timing.pace / times['b'].pace:.1f}"]
    return [f"{timing.key}: {timing.title}", f"{timing.rows:,}", f"{timing.median:.2f}", spread, *pace]


def _notes(measured: Measured) -> list[str]:
    rounds, watched = measured.rounds, measured.rounds.watched
    cost = _search_index(rounds.timings)
    count = len(rounds.timings["a"].seconds)
    return [
        f"Seconds are medians of {count} rounds, interleaved, each contender in turn the first; "
        "before each run the tables are made anew, analysed, and a checkpoint is written.",
        "b and c load the first rows of the same file; their seconds leave out the start of their interpreter. "
        "c looks SKUs up without lower(), so its table has an index for that.",
        f"The search index adds {cost['seconds']:.2f} s to {cost['rows']:,} rows of a bare \\copy "
        f"({cost['percent']:.0f} %: a against a2).",
        f"GET /health/live, every 20 ms, timed from when it was due: {_said_answers(watched.answers)}.",
        f"Memory: {_said(watched.job_memory)} MB is the sum of VmHWM of the processes that run the job; the worker "
        f"and all below it, shared pages counted once (PSS): {_said(watched.tree_memory)} MB.",
        f"The database was busy for another {max(watched.trailing):.1f} s after Completed, at most.",
    ]


def _search_index(times: dict[str, Timing]) -> dict[str, Any]:
    seconds = times["a"].median - times["a2"].median
    return {
        "rows": times["a"].rows,
        "seconds": round(seconds, 3),
        "percent": round(100 * seconds / times["a2"].median, 1),
    }


def _answers(milliseconds: Sequence[float]) -> dict[str, float]:
    if not milliseconds:
        return {"count": 0}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {"count": len(milliseconds), **{name: percentile(milliseconds, share) for name, share in shares.items()}}


def _said_answers(milliseconds: Sequence[float]) -> str:
    found = _answers(milliseconds)
    return f"{found.pop('count')} answers, " + ", ".join(f"{name} {value:.0f} ms" for name, value in found.items())


def _p99(milliseconds: Sequence[float]) -> float | None:
    return percentile(milliseconds, 0.99) if milliseconds else None


def _peak(megabytes: Sequence[float]) -> float | None:
    return max(megabytes, default=None)


def _said(megabytes: Sequence[float]) -> str:
    return f"{max(megabytes):.0f}" if megabytes else "?"
