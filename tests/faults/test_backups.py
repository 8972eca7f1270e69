"""A backup is put into an empty PostgreSQL beside an empty Redis, and everything goes on from there."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest
import requests
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text
from standardwebhooks import Webhook as Official

from tests import forked
from tests.faults.load import Load
from tests.faults.service import Process, Service
from tests.processes import wait_for
from tests.webhooks.receivers import Receiver, answer

PRODUCTS = "/api/v1/products"
ENCRYPTION_KEY = Fernet.generate_key().decode()
SECRET = "whsec_" + "c2VjcmV0" * 4
QUEUED = 'mutation { createProduct(title: "Queued", price: 1, sku: "QUEUED") { success message } }'


class Drilled(Service):
    """The service with another worker, and verbs of its own; `waiting` is what must not run before the backup."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment |= {"ENCRYPTION_KEYS": ENCRYPTION_KEY, "SECRET_KEY": "s" * 40}
        self.folder = folder
        imports = ("-m", "catalog.cli", "worker", "imports")
        self.waiting = [self.worker, self.clock, Process("imports", folder, self.environment, *imports)]
        self.processes = [self.web, self.sender]

    def verb(self, *arguments: object) -> CompletedProcess[str]:
        """Run a verb in a folder of its own: in the service's it would take the servers for left behind."""
        environment = {**self.environment, "DATA_DIR": str(self.folder / "verbs")}
        return forked.run(["catalog.cli", *map(str, arguments)], environment)

    def rows(self, statement: str) -> list:
        engine = create_engine(self.servers.database_url)
        with engine.begin() as connection:
            found = connection.execute(text(statement)).all()
        engine.dispose()
        return list(found)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=10)

    def post(self, path: str, **given: object) -> requests.Response:
        done = requests.post(f"{self.url}{path}", timeout=10, **given)
        done.raise_for_status()
        return done


@pytest.fixture
def make(tmp_path_factory):
    """Return services with PostgreSQL and Redis of their own, all of it stopped."""
    made = []

    def fresh() -> Drilled:
        folder = tmp_path_factory.mktemp("drill")
        folder.chmod(0o711)
        made.append(Drilled(folder))
        return made[-1]

    yield fresh
    for service in made:
        service.stop()


def test_a_backup_taken_under_load_brings_everything_back_on_other_servers(make, tmp_path):
    file = tmp_path / "catalog.backup"
    with Receiver(answer(500)) as receiver:
        service = make()
        service.start()
        hook = service.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"], "secret": SECRET}).json()
        service.post("/graphql", json={"query": QUEUED})
        service.post(f"{PRODUCTS}/upload", files={"file": ("p.csv", b"sku,name\nFILED,Filed\n")})
        with Load(f"{service.url}{PRODUCTS}", clients=2).applied() as load:
            wait_for(lambda: len(load.acknowledged) > 50)
            before = set(load.acknowledged)
            done = service.verb("backup", file)
        assert (done.returncode, load.unanswered) == (0, 0), done.stderr
        service.stop()
        later = make()
        later.servers.start()
        done = later.verb("restore", file)
        assert done.returncode == 0, done.stderr
        assert "1 of 1 stored secrets can be read" in done.stdout
        told = {request.id for request in receiver.requests}
        receiver.requests.clear()
        receiver.behave = answer(200)
        later.processes += later.waiting
        later.mend()
        check_changes(later, before)
        check_what_waited(later, hook["id"], told, receiver)


def check_changes(service: Drilled, acknowledged: set) -> None:
    """Every change that was answered for before the backup is in it."""
    versions = {str(row.id): row.version for row in service.rows("SELECT id, version FROM products")}
    deleted = {product for event, product, _ in acknowledged if event == "product.deleted"}
    for _, product, version in acknowledged:
        assert product in deleted or versions.get(product, version) >= version
    told = service.rows("SELECT data->>'id', name FROM webhook_events")
    assert {(event, product) for event, product, _ in acknowledged} <= {(row[1], row[0]) for row in told}


def check_what_waited(service: Drilled, hook: str, told: set[str], receiver: Receiver) -> None:
    """Redis is empty: the rows alone bring the queued write, the import and the deliveries to their end."""
    wait_for(lambda: service.get(f"{PRODUCTS}/by-sku/QUEUED").status_code == 200)
    service.rows("UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending' RETURNING id")  # not in minutes
    pending = f"SELECT count(*) FROM webhook_deliveries WHERE webhook_id = '{hook}' AND status = 'pending'"
    wait_for(lambda: service.rows(pending)[0][0] == 0, 90)
    for request in receiver.requests:
        Official(SECRET).verify(request.body, request.headers)
    assert {request.id for request in receiver.requests} & told  # what was refused before comes under its old id
    wait_for(lambda: service.rows("SELECT state FROM imports")[0][0] in ("completed", "failed"))
    ((state, message),) = service.rows("SELECT state, error FROM imports")
    assert (state, message) == ("failed", "The uploaded file is gone from the server.")


def test_a_restore_replaces_nothing_unasked_and_puts_back_what_was_there_when_it_fails(make, tmp_path):
    file, broken, foreign = tmp_path / "catalog.backup", tmp_path / "broken", tmp_path / "foreign"
    service = make()
    service.start()
    path = service.post(PRODUCTS, json={"name": "Old", "sku": "LAMP"}).headers["Location"]
    assert service.verb("backup", file).returncode == 0
    assert file.stat().st_mode & 0o077 == 0
    requests.put(f"{service.url}{path}", json={"name": "New"}, timeout=10).raise_for_status()
    assert wait_for(lambda: service.get(path).headers["X-Cache"] == "HIT")

    assert "stop it everywhere first" in refused(service, file, "--force")
    service.web.stop()
    service.sender.stop()
    assert "--force replaces" in refused(service, file)
    assert "There is no file" in refused(service, tmp_path / "none", "--force")
    foreign.write_text("sku,name\n")
    assert "is no backup" in refused(service, foreign, "--force")
    broken.write_bytes(file.read_bytes()[:-2_000])
    refused(service, broken, "--force")
    assert service.rows("SELECT name FROM products") == [("New",)]

    done = service.verb("restore", file, "--force")
    assert done.returncode == 0, done.stderr
    service.mend()
    assert service.get(path).json()["name"] == "Old"


def test_after_a_restore_that_was_killed_nothing_starts_until_it_is_run_again(make, tmp_path):
    file = tmp_path / "catalog.backup"
    service = make()
    service.servers.start()
    assert service.verb("prepare").returncode == 0
    service.rows("INSERT INTO products (sku, name) VALUES ('LAMP', 'Old') RETURNING id")
    assert service.verb("backup", file).returncode == 0
    service.rows("UPDATE products SET name = 'New' RETURNING id")
    assert service.verb("begin-restore", "--force").returncode == 0  # and there it is killed

    started = service.verb("prepare")
    assert started.returncode != 0
    assert "A restore was cut off" in started.stderr
    assert "--force replaces" in refused(service, file)  # which puts back what was there
    assert service.rows("SELECT name FROM products") == [("New",)]
    assert service.verb("prepare").returncode == 0


def test_a_restore_without_the_keys_names_the_secrets_that_cannot_be_read(make, tmp_path):
    file = tmp_path / "catalog.backup"
    service = make()
    service.start()
    hook = {"url": "https://example.com/hook", "events": ["*"], "secret": SECRET}
    service.post("/api/v1/webhooks", json=hook)
    assert service.verb("backup", file).returncode == 0
    later = make()
    later.servers.start()
    later.environment["ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
    done = later.verb("restore", file)
    assert done.returncode == 1
    assert "0 of 1 stored secrets can be read" in done.stdout
    assert "No key opens" in done.stderr


def refused(service: Drilled, *arguments: object) -> str:
    done = service.verb("restore", *arguments)
    assert done.returncode == 1
    return done.stderr
