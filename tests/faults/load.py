"""Clients that change products as fast as they are answered, and remember what they were answered for."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.processes import threads

Change = tuple[str, str, int]  # event, product id, version


@dataclass
class Load:
    """Some threads of clients; `acknowledged` are the changes that were answered with success."""

    url: str
    clients: int = 4
    pause: float = 0.0  # seconds of a client between two changes
    acknowledged: set[Change] = field(default_factory=set)
    unanswered: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def _client(self, seed: int) -> None:
        chance, session = random.Random(seed), requests.Session()
        mine: list[dict[str, Any]] = []
        while not self._stopping.wait(self.pause):
            try:
                self._change(chance, session, mine)
            except (requests.RequestException, ValueError):
                self.unanswered += 1
                mine.clear()  # who knows what became of them
                self._stopping.wait(0.05)

    def _change(self, chance: random.Random, session: requests.Session, mine: list[dict[str, Any]]) -> None:
        if not mine or chance.random() < 0.3:
            mine.append(self._answered(session.post(self.url, json={"name": "Lamp", "price": 1}, timeout=20)))
            self.acknowledged.add(("product.created", mine[-1]["id"], 1))
            return
        place = chance.randrange(len(mine))
        product = mine[place]
        if chance.random() < 0.2:
            del mine[place]
            self._answered(session.delete(f"{self.url}/{product['id']}", timeout=20))
            self.acknowledged.add(("product.deleted", product["id"], 0))
            return
        change = {"stock_quantity": product["stock_quantity"] + 1}
        mine[place] = self._answered(session.patch(f"{self.url}/{product['id']}", json=change, timeout=20))
        self.acknowledged.add(("product.updated", product["id"], mine[place]["version"]))

    @staticmethod
    def _answered(response: requests.Response) -> Any:
        response.raise_for_status()
        return response.json() if response.content else None

    @contextmanager
    def applied(self) -> Iterator["Load"]:
        """Load the service for as long as the block takes."""
        with threads(self.clients, self._client, self._stopping):
            yield self
