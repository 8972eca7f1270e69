"""wrk, the client of all contenders, and the processor time that a round cost its server."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

CONNECTIONS = 16
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_SCRIPT = """
local ids, at = {}, tonumber(os.getenv("WRK_FROM") or "0")
for line in io.lines(os.getenv("WRK_IDS")) do ids[#ids + 1] = line end
local key = os.getenv("WRK_KEY") or ""
if key ~= "" then wrk.headers["Authorization"] = "Bearer " .. key end
request = function()
  at = at + 1
  return wrk.format("GET", os.getenv("WRK_PATH") .. ids[(at - 1) % #ids + 1])
end
"""


@dataclass
class Round:
    """What wrk saw: requests per second, latencies in milliseconds, answers other than 2xx, CPU in microseconds."""

    pace: float
    p50: float
    p99: float
    failed: int
    cpu: float


@dataclass
class Contender:
    """A server that answers `path` + an id on `url`, to who sends `key_sent`; `rounds` collects what was measured."""

    key: str
    title: str
    url: str
    path: str
    pid: int
    key_sent: str = ""
    rounds: list[Round] = field(default_factory=list)

    def median(self, name: str) -> float:
        """Return the median of a figure over the rounds."""
        return median(getattr(each, name) for each in self.rounds)

    def as_dict(self) -> dict[str, object]:
        """Return everything about it, for the JSON file."""
        return {"key": self.key, "title": self.title, "rounds": [vars(each) for each in self.rounds]}


def check_wrk() -> None:
    """Exit with what to do if wrk is not installed."""
    if not shutil.which("wrk"):
        raise SystemExit("`bench read` needs wrk: apt-get install wrk, brew install wrk")


def measure(contender: Contender, ids: Path, seconds: int, first: int = 0) -> Round:
    """Load a contender for so long, one id after the other, beginning with the `first` of the file."""
    script = ids.with_name("ids.lua")
    script.write_text(_SCRIPT)
    environment = {
        "WRK_IDS": str(ids),
        "WRK_PATH": contender.path,
        "WRK_FROM": str(first),
        "WRK_KEY": contender.key_sent,
    }
    before = _cpu(contender.pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-s", str(script), contender.url]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    requests = int(_found(r"(\d+) requests in", said))
    used = (_cpu(contender.pid) - before) / requests * 1e6
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    pace = float(_found(r"Requests/sec:\s+([\d.]+)", said))
    done = Round(pace, _latency("50%", said), _latency("99%", said), int(failed[1]) if failed else 0, used)
    contender.rounds.append(done)
    return done


def _found(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    if not found:
        raise SystemExit(f"wrk said something else than expected:\n{said}")
    return found[1]


def _latency(share: str, said: str) -> float:
    value = _found(rf"{re.escape(share)}\s+([\d.]+(?:us|ms|s))", said)
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", value).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


def _cpu(pid: int) -> float:
    """Return the processor seconds of a process and its children so far."""
    parent = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (parent, *parent.children(recursive=True)))
