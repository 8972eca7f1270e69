"""Requests and answers as they are, shown as they happen, and the figures measured on the way."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from rich.console import Console
from rich.text import Text

from catalog.stack.errors import StackError
from catalog.terminal import visible

LONGEST_SHOWN = 230
TIMEOUT_SECONDS = 30


@dataclass
class Answer:
    """An answer: its status, headers, JSON (None where there is none) and how long it took."""

    status: int
    headers: Any
    json: Any
    milliseconds: float


class Walk:
    """The service at `url` and the screen; `figures` is what the summary shows."""

    def __init__(self, url: str, console: Console) -> None:
        self.url = url.rstrip("/")
        self.console = console
        self.figures: list[tuple[str, str]] = []
        self._session = requests.Session()
        self._session.trust_env = False

    def title(self, text: str) -> None:
        """Begin a part."""
        self.console.print()
        self.console.rule(Text(text, style="bold"), align="left")

    def say(self, text: str) -> None:
        """Explain something."""
        self.console.print(Text(text), soft_wrap=True)

    def figure(self, name: str, value: str) -> None:
        """Note a figure for the summary."""
        self.figures.append((name, value))

    def call(self, method: str, path: str, body: Any = None, quiet: bool = False) -> Answer:
        """Send a request, show it with its answer unless `quiet`; StackError if it is no success."""
        began = time.perf_counter()
        try:
            got = self._session.request(method, self.url + path, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise StackError(f"{method} {self.url}{path} failed: {error}") from error
        milliseconds = (time.perf_counter() - began) * 1000
        answer = Answer(got.status_code, got.headers, got.json() if got.content else None, milliseconds)
        if not quiet or not got.ok:
            self._show(method, path, body, answer)
        if not got.ok:
            raise StackError(f"The service refused {method} {path}: {got.text[:500]}")
        return answer

    def until(self, path: str, holds: Callable[[Any], bool], seconds: float = 30) -> Any:
        """Ask for `path` until its JSON is as wanted; show and return that. StackError if it never is."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.call("GET", path, quiet=True)
            if holds(answer.json):
                self._show("GET", path, None, answer)
                return answer.json
            if time.monotonic() > deadline:
                raise StackError(f"Waited {seconds:.0f} s for another answer than {answer.json}")
            time.sleep(0.05)

    def _show(self, method: str, path: str, body: Any, answer: Answer) -> None:
        asked = Text(f"→ {method} {path}", style="cyan")
        self.console.print(asked + Text(f" {_short(body)}" if body else ""), soft_wrap=True)
        style = "green" if answer.status < 400 else "red"
        cached = f"  X-Cache: {answer.headers['X-Cache']}" if "X-Cache" in answer.headers else ""
        head = Text(f"← {answer.status}{cached}", style=style)
        took = Text(f"  {answer.milliseconds:.1f} ms  ", style="dim")
        self.console.print(head + took + Text(_short(answer.json)), soft_wrap=True)


def _short(value: Any) -> str:
    written = visible(json.dumps(value, ensure_ascii=False))
    return written if len(written) <= LONGEST_SHOWN else written[: LONGEST_SHOWN - 1] + "…"
