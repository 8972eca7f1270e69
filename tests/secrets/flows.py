"""Everything that one does with the service, with secrets wherever a secret may go, and where none belongs."""

import json
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from standardwebhooks.webhooks import Webhook as Official

from tests.processes import wait_for
from tests.secrets.canaries import Canaries, Place, answer
from tests.secrets.guarded import Guarded
from tests.webhooks.receivers import Receiver

HOOKS = "/api/v1/webhooks"
CREATE = """mutation ($url: String!, $events: [String!]!, $secret: String, $headers: JSON) {
  createWebhook(url: $url, events: $events, secret: $secret, headers: $headers) { webhook { id headers } } }"""


class Flows:
    """A client that keeps every answer. `echo` answers with the headers it got, and fails; `fine` takes all."""

    def __init__(self, service: Guarded, known: Canaries, echo: Receiver, fine: Receiver) -> None:
        self.service, self.known, self.echo, self.fine = service, known, echo, fine
        self.answers: list[Place] = []

    def call(self, method: str, path: str, *, shown_once: bool = False, **sent: Any) -> requests.Response:
        """Make a request and keep the answer, unless it is the one that may show a secret."""
        headers = {"Idempotency-Key": uuid.uuid4().hex, **sent.pop("headers", {})}
        got = requests.request(method, self.service.url + path, headers=headers, timeout=30, **sent)
        if not shown_once:
            self.answers.append(answer(f"{method} {path[:40]}", got.status_code, dict(got.headers), got.content))
        return got

    def ask(self, query: str, **variables: Any) -> requests.Response:
        """Send a GraphQL request."""
        return self.call("POST", "/graphql", json={"query": query, "variables": variables})

    def hook(self, url: str, **fields: Any) -> dict[str, Any]:
        """Return a webhook's fields, with secrets in it."""
        headers = {
            "Authorization": f"Bearer {self.known.text('bearer')}",
            "X-Api-Key": self.known.text("header"),
            "Cookie": f"session={self.known.text('cookie')}",
            "X-Team": f"Basic {self.known.key()}",
        }
        return {"url": url, "events": ["*"], "headers": headers, "secret": self.known.whsec(), **fields}

    def webhooks(self) -> None:
        """Made, shown, changed, delivered, failing, rotated, replayed and deleted, over REST and GraphQL."""
        wanted = self.hook(self.fine.url)
        made = self.call("POST", HOOKS, json=wanted).json()
        path = f"{HOOKS}/{made['id']}"
        failing = self.call("POST", HOOKS, json=self.hook(self.echo.url, retry_count=1)).json()
        asked = self.hook(self.fine.url, secret=self.known.text("plain"))
        by_graph = self.ask(CREATE, **asked).json()["data"]["createWebhook"]["webhook"]
        product = self.call("POST", "/api/v1/products", json={"sku": "CANARY-1", "name": "Lamp", "price": 3})
        for _ in range(2):
            self.call("GET", product.headers["Location"]).raise_for_status()
        delivered = self.fine.wait(2)
        assert wanted["headers"]["Authorization"] in {request.headers["authorization"] for request in delivered}
        signed = next(r for r in delivered if r.headers["authorization"] == wanted["headers"]["Authorization"])
        Official(wanted["secret"]).verify(signed.body, signed.headers)
        self.echo.wait(1)
        wait_for(lambda: self.call("GET", f"{HOOKS}/{failing['id']}/logs").json()["items"], 20)
        for hook in (made, failing):
            self.call("POST", f"{HOOKS}/{hook['id']}/test", json={"event": "product.created"}).raise_for_status()
        self.rotate(path)
        self.call("PUT", path, json={"headers": {**made["headers"], "X-Token": self.known.text("token")}})
        self.call("PUT", path, json={"url": "http://127.0.0.1:9/elsewhere"})
        self.call("POST", f"{path}/replay", json={})
        delivery = self.call("GET", f"{HOOKS}/{failing['id']}/deliveries").json()["items"][0]
        self.call("POST", f"{HOOKS}/deliveries/{delivery['id']}/retry")
        for seen in ("", f"/{made['id']}", f"/{made['id']}/logs", "/stats", f"/{failing['id']}"):
            self.call("GET", HOOKS + seen)
        self.ask("{ webhooks { items { id headers lastError } } }")
        logs = "query ($id: ID!) { webhookLogs(webhookId: $id) { items { responseBody error payload } } }"
        assert "********" in self.ask(logs, id=failing["id"]).text
        self.call("DELETE", f"{HOOKS}/{by_graph['id']}")

    def rotate(self, path: str) -> None:
        """To a given secret, and to one that is made up and shown in this one answer, and in its repetition."""
        self.call("POST", f"{path}/rotate-secret", json={"secret": self.known.text("rotated")}).raise_for_status()
        repeated = {"Idempotency-Key": uuid.uuid4().hex}
        for _ in range(2):
            rotated = self.call("POST", f"{path}/rotate-secret", shown_once=True, headers=repeated)
            self.known.add(rotated.json()["secret"])

    def api_keys(self) -> None:
        """Made, used, rotated and revoked, where the service has API keys."""
        if "/api/v1/keys" not in self.call("GET", "/api/openapi.json").json()["paths"]:
            return
        made = self.call("POST", "/api/v1/keys", shown_once=True, json={"name": "Canary", "scopes": ["admin"]}).json()
        path = f"/api/v1/keys/{made['id']}"
        rotated = self.call("POST", f"{path}/rotate", shown_once=True).json()
        for key in (made["key"], rotated["key"]):
            self.known.add(key)
            self.known.add(key.rpartition("_")[2])
            for carried in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
                self.call("GET", "/api/v1/keys", headers=carried).raise_for_status()
                self.call("POST", HOOKS, headers=carried, json={"url": key, "events": [key]})
            self.call("GET", f"/api/v1/products?api_key={key}")
        self.call("DELETE", path).raise_for_status()

    def sign_ins(self) -> None:
        """By a password, with it in every wrong field, changed, and signed out."""
        password, session = self.known.text("password"), requests.Session()
        flask = ("--app", "wsgi", "users")
        made = self.service.command(*flask, "create", "ada", "--scope", "admin", module="flask", typed=f"{password}\n")
        assert made.returncode == 0, made
        shown = session.get(f"{self.service.url}/console/sign-in", timeout=30).text
        token = shown.partition('name="csrf_token" value="')[2][:43]
        key = f"cat_live_{self.known.word}_{password}"
        tried = [{"name": "ada", "password": f"{password}x"}, {"name": password, "password": "ada"}, {"key": key}]
        for form in (*tried, {"name": "ada", "password": password}):
            sent = {"data": {"csrf_token": token, **form}, "cookies": session.cookies, "allow_redirects": False}
            is_echoed = form.get("name") == password  # to who typed it, as the name
            answer = self.call("POST", "/console/sign-in", shown_once=is_echoed or form not in tried, **sent)
            assert answer.status_code == (303 if form not in tried else 401)
        self.known.add(answer.cookies["catalog_session"])
        for path in ("overview", "account", "users", "users/sessions", "audit"):
            self.call("GET", f"/console/{path}", cookies=answer.cookies)
        changed = self.service.command(*flask, "password", "ada", module="flask", typed=f"{password} anew\n")
        assert changed.returncode == 0
        self.call("GET", "/api/v1/users")
        self.call("GET", "/api/v1/audit")

    def refusals(self) -> None:
        """Secrets in the wrong place, of the wrong type, in requests that are refused."""
        text = self.known.text("refused")
        wrong = [
            {"secret": f"whsec_{text}!!"},
            {"secret": text * 10},
            {"secret": [text]},
            {"secert": text},
            {"headers": {"Authorization": f"{text}\r\nX: {text}"}},
            {"headers": {"Authorization": text, "authorization": text}},
            {"headers": {"Authorization": [text]}},
            {"headers": text},
            {"url": f"http://user:{text}@example.com/"},
            {"events": text},
            {"retry_count": text},
        ]
        for fields in wrong:
            refused = self.call("POST", HOOKS, json={**self.hook(self.fine.url), **fields})
            assert refused.status_code == 400, refused.text
        for broken in (f'{{"secret": "{text}', f'{{"secret": {text}}}', f'{{"secret": "{text}", "secret": "{text}"}}'):
            json_type = {"Content-Type": "application/json"}
            assert self.call("POST", HOOKS, data=broken, headers=json_type).status_code == 400
        self.graphql_refusals(text)
        key = f"cat_live_{self.known.word}_{text}"
        for carried in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}, {"Authorization": f"Basic {key}"}):
            self.call("GET", "/api/v1/products?limit=1", headers=carried)
            self.call("GET", "/api/v1/nowhere", headers=carried)
        for name in ("api_key", "token", "key"):
            self.call("GET", f"/api/v1/products?{name}={key}")

    def graphql_refusals(self, text: str) -> None:
        """The same over GraphQL, in documents and in variables."""
        whole = 'mutation {{ createWebhook(url: "http://127.0.0.1:9/", events: ["*"], {}) {{ webhook {{ id }} }} }}'
        for argument in (
            f'secret: ["{text}"]',
            f'secret: {{a: "{text}"}}',
            f'secret "{text}"',
            f'secret: "{text}" "{text}"',
            f'secret: """{text}""" """{text}"""',
            f'secret: "whsec_{text}!!"',
            f'secret: "{text}", timeoutSeconds: "{text}"',
            f'headers: "{text}"',
            f'headers: {{Authorization: "{text}", authorization: "{text}"}}',
        ):
            assert "errors" in self.ask(whole.format(argument)).json(), argument
        for variables in ({"secret": [text]}, {"secret": {"a": text}}, {"headers": text}, {"events": {"a": text}}):
            asked = {"url": "http://127.0.0.1:9/", "events": ["*"], **variables}
            assert "errors" in self.ask(CREATE, **asked).json(), variables

    def everything_else(self) -> None:
        """Imports, exports, orders, tasks, jobs that fail, the pages and the figures."""
        good, bad = "sku,name,price\nA-1,One,1\nA-2,,x\n", "sku,name\nA-1,\n"
        for content, options in ((good, {}), (bad, {"on_error": "abort"})):
            sent = {"files": {"file": ("products.csv", content)}, "data": options}
            task = self.call("POST", "/api/v1/products/upload", **sent).json()["task_id"]
            self.wait_for_end(f"/api/v1/jobs/{task}")
        for form in ("csv", "jsonl"):
            assert "A-1" in self.call("GET", f"/api/v1/products/export?format={form}").text
        order = {"id": 1, "customer": "ACME", "items": [{"sku": "X9", "quantity": 1, "unit_price": 1}]}
        order["submitted_at"] = "2026-11-21T10:00:00Z"
        self.call("POST", "/api/v1/orders", json=order).raise_for_status()
        self.call("POST", "/api/v1/tasks", json={"title": "Look", "description": "closer"}).raise_for_status()
        job = self.call("POST", "/api/v1/jobs/test", json={"seconds": 0, "fail": True}).json()["task_id"]
        assert self.wait_for_end(f"/api/v1/jobs/{job}")["state"] == "failed"
        pages = ("/", "/health/ready", "/metrics", "/api/openapi.json", "/api/docs", "/api/v1/jobs", "/api/v1/orders")
        for path in (*pages, "/api/v1/jobs/workers", "/api/v1/celery", "/api/v1/imports", "/api/v1/tasks"):
            self.call("GET", path)

    def wait_for_end(self, path: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            job = self.call("GET", path).json()
            return job if job["state"] in ("completed", "failed", "cancelled") else None

        return wait_for(ended, 30)  # type: ignore[no-any-return]

    def broken_requests(self) -> None:
        """What gunicorn refuses before the application sees it."""
        key = f"cat_live_{self.known.word}_{self.known.text('raw')}"
        for head in (
            f"GET / HTTP/1.1\r\nAuthorization Bearer {key}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer {key}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\0\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}{'x' * 20_000}\r\n\r\n",
            f"GET /?api_key={key} HTTP/9.9\r\nHost: localhost\r\n\r\n",
            f"GET /?api_key={key}\r\nHost: localhost\r\n\r\n",
            f"Bearer {key}\r\n\r\n",
            f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Length: {key}\r\n\r\n",
            f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {key}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", int(self.service.url.rpartition(":")[2])), timeout=10) as raw:
                raw.sendall(head.encode())
                raw.shutdown(socket.SHUT_WR)
                said = b"".join(iter(lambda raw=raw: raw.recv(65536), b""))
            assert b" 200 " not in said[:20], head
            self.answers.append((f"answer to {head[:30]!r}", said.replace(head.encode(), b"")))

    def broken_settings(self) -> None:
        """Starts that cannot succeed, each said in a message."""
        password = self.known.text("wrong")
        taken_for_a_port = f"postgresql://u:{password}/{password}@h/c"
        taken_for_a_host = f"postgresql://u:{password}@h:{password}@h/c"
        unreachable = f"postgresql://u:{password}@127.0.0.1:9/c"
        wrong_redis = self.service.environment["REDIS_URL"].replace(":redis", f":{password}-redis")
        starts = [
            (("--config", "gunicorn.conf.py", "wsgi:app"), {"module": "gunicorn", "DATABASE_URL": taken_for_a_port}),
            (("clock",), {"DATABASE_URL": taken_for_a_host}),
            (("status",), {"DATABASE_URL": taken_for_a_host}),
            (("prepare",), {"DATABASE_URL": unreachable}),
            (("worker", "default"), {"REDIS_URL": wrong_redis}),
            (("orders", "dead"), {"ORDER_QUEUE_REDIS_URL": wrong_redis}),
            (("clock",), {"ENCRYPTION_KEYS": self.known.key()[:-9]}),
        ]
        with ThreadPoolExecutor(len(starts)) as threads:  # some of them try for seconds before they give up
            ended = threads.map(lambda start: self.service.command(*start[0], **start[1]), starts)
        assert all(each.returncode > 0 for each in ended)

    def outages(self) -> None:
        """The servers go away, or no longer take the password, while the service is asked for everything."""
        self.service.lock_redis("-other")
        self._ask_around()
        self.service.lock_redis()
        self.service.servers.postgres.stop(mode="immediate")
        self._ask_around()
        self.service.servers.postgres.start()
        self.service.supervise()
        wait_for(self.service._is_ready, 30)

    def _ask_around(self) -> None:
        self.call("POST", HOOKS, json=self.hook(self.fine.url))
        self.call("POST", "/api/v1/products", json={"sku": uuid.uuid4().hex, "name": "Lamp", "price": 3})
        self.call("POST", "/api/v1/jobs/test", json={"seconds": 0})
        self.ask(CREATE, **self.hook(self.fine.url))
        for path in (HOOKS, "/health/ready", "/api/v1/jobs", "/api/v1/products?limit=1", "/api/v1/jobs/workers"):
            self.call("GET", path)

    def rotation(self) -> None:
        """A sender without the key says so; then every secret goes from the old key to the new one."""
        old, new = self.service.keys
        self.service.environment["ENCRYPTION_KEYS"] = new
        self.service.again(self.service.sender)
        hook = self.call("GET", HOOKS).json()["items"][0]
        self.call("POST", "/api/v1/products", json={"sku": "CANARY-2", "name": "Lamp", "price": 3}).raise_for_status()
        wait_for(
            lambda: "cannot be decrypted" in (self.call("GET", f"{HOOKS}/{hook['id']}").json()["last_error"] or "")
        )
        assert self.service.command("keys", "rotate-encryption").returncode == 1
        self.service.environment["ENCRYPTION_KEYS"] = f"{new},{old}"
        rotated = self.service.command("keys", "rotate-encryption")
        assert b"needed no more" in rotated.stdout, rotated
        self.service.environment["ENCRYPTION_KEYS"] = new
        self.service.again(self.service.web, self.service.sender)
        wait_for(self.service._is_ready, 30)
        before = len(self.fine.requests)
        assert self.call("POST", f"{HOOKS}/{hook['id']}/test").json()["success"]
        assert self.known.word in json.dumps(self.fine.wait(before + 1)[-1].headers)
