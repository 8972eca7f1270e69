"""Clients that have products created and changed by queued writes, and remember what they were promised."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.processes import threads

TAKEN = "TAKEN"
CREATE = """mutation($title: String!, $sku: String) {
  createProduct(title: $title, price: 5, sku: $sku) { success message jobId productId } }"""
UPDATE = """mutation($id: ID!, $count: Int) {
  updateProduct(productId: $id, stockQuantity: $count) { success message jobId productId } }"""


@dataclass
class Promise:
    """A product that was promised, with `count` changes; `unsure` says that one more was sent and not answered."""

    product_id: str
    count: int = 0
    unsure: bool = False


@dataclass
class Promises:
    """Some threads of clients; each change of a product sets its stock to how often it was changed."""

    url: str
    clients: int = 4
    pause: float = 0.0  # seconds of a client between two changes
    kept: list[Promise] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)  # the jobs that cannot but fail
    denied: list[str] = field(default_factory=list)  # the updates of a promised product that were said not to be
    writes: int = 0
    at_once: int = 0
    unanswered: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def _client(self, seed: int) -> None:
        chance, session = random.Random(seed), requests.Session()
        mine: list[Promise] = []
        while not self._stopping.wait(self.pause):
            try:
                self._write(chance, session, mine, f"{seed}-{chance.random()}")
            except (requests.RequestException, ValueError):
                self.unanswered += 1
                mine.clear()  # who knows what became of them
                self._stopping.wait(0.05)

    def _write(self, chance: random.Random, session: requests.Session, mine: list[Promise], title: str) -> None:
        if chance.random() < 0.03:
            self.refused.add(self._answer(session, CREATE, title=title, sku=TAKEN)["jobId"])
        elif not mine or chance.random() < 0.3:
            answer = self._answer(session, CREATE, title=title)
            mine.append(Promise(_granted(answer)["productId"]))
            self.kept.append(mine[-1])
        else:
            self._change(session, chance.choice(mine))

    def _change(self, session: requests.Session, promise: Promise) -> None:
        promise.unsure = True
        answer = self._answer(session, UPDATE, id=promise.product_id, count=promise.count + 1)
        if "There is no product" in answer["message"]:
            self.denied.append(promise.product_id)
        _granted(answer)
        promise.count, promise.unsure = promise.count + 1, False

    def _answer(self, session: requests.Session, query: str, **variables: Any) -> dict[str, Any]:
        """Return the answer; raises ValueError for errors, which leave open what became of the write."""
        body = session.post(self.url, json={"query": query, "variables": variables}, timeout=20).json()
        if "data" not in body or "errors" in body:
            raise ValueError(body)
        answer = next(iter(body["data"].values()))
        self.writes += 1
        self.at_once += "at once" in answer["message"]
        return answer

    @contextmanager
    def asked_for(self) -> Iterator["Promises"]:
        """Write for as long as the block takes."""
        with threads(self.clients, self._client, self._stopping):
            yield self


def _granted(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer["success"]:
        raise ValueError(answer["message"])
    return answer
