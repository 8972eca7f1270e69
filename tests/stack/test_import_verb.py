"""`import FILE` against a stand-in for the service that records what it was sent."""

import json

import pytest
from click.testing import CliRunner
from werkzeug.wrappers import Request, Response

from catalog.cli import main
from catalog.commands.client import Multipart
from tests.processes import standing_in

DONE = {"state": "Completed", "progress_percent": 100, "current": 3, "total": 3, "errors": 1}


class Service:
    """Answers like the service; `statuses` is what it says of the import, one after the other."""

    def __init__(self):
        self.statuses = [{**DONE, "state": "Processing", "progress_percent": 40, "current": 1}, DONE]
        self.rejected = [{"row": 3, "error": "price: Not a valid number.", "data": {}}]
        self.upload = None

    def __call__(self, environ, start_response):
        request = Request(environ)
        if request.method == "POST":
            with request:
                self.upload = {**request.form, **{part: file.read() for part, file in request.files.items()}}
                self.names = [file.filename for file in request.files.values()]
            answer = Response(json.dumps({"task_id": "7"}), 202)
        elif request.path.endswith("/status"):
            answer = Response(json.dumps(self.statuses.pop(0)))
        elif request.path.endswith("/result"):
            answer = Response(json.dumps({"result": {"error_details": self.rejected}}))
        else:
            answer = Response(json.dumps({"created": 2, "updated": 0, "rejected": 1}))
        return answer(environ, start_response)


@pytest.fixture
def service():
    app = Service()
    with standing_in(app) as app.url:  # type: ignore[attr-defined]
        yield app


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'new "products" ä.csv'
    path.write_bytes(b"sku,name,price\nA,Lamp,1\nB,Desk,2\nC,Chair,x\n")
    return path


def run(service, file, *options):
    return CliRunner().invoke(main, ["import", str(file), "--url", service.url, *options])


def test_the_file_and_its_options_arrive_and_the_summary_names_the_rejected_rows(service, file):
    ended = run(service, file, "--mode", "create_only", "--delimiter", ",")

    assert ended.exit_code == 0, ended.output
    assert service.upload == {"mode": "create_only", "delimiter": ",", "file": file.read_bytes()}
    assert service.names == ['new "products" ä.csv']
    assert "line 3: price: Not a valid number." in ended.output
    assert f"{service.url}/api/v1/imports/7/errors.csv" in ended.output


def test_a_mapping_arrives_as_it_was_written(service, file):
    mapping = '{"Größe": ["name", "concat:; \\"x\\""]}'

    ended = run(service, file, "--mapping", mapping, "--mapping-name", "supplier-7")

    assert ended.exit_code == 0, ended.output
    assert (service.upload["mapping"], service.upload["mapping_name"]) == (mapping, "supplier-7")


@pytest.mark.parametrize(
    ("state", "rejected", "options", "code"),
    [
        ("Completed", 1, ["--strict"], 1),
        ("Completed", 0, ["--strict"], 0),
        ("Failed", 0, [], 1),
        ("Cancelled", 0, [], 1),
    ],
)
def test_the_exit_status_tells_whether_all_went_in(service, file, state, rejected, options, code):
    service.statuses = [{**DONE, "state": state, "errors": rejected, "error": "the reason"}]
    service.rejected = service.rejected[:rejected]

    ended = run(service, file, *options)

    assert ended.exit_code == code, ended.output
    assert ("the reason" in ended.output) is (state != "Completed")


def test_a_large_file_is_sent_in_small_pieces_that_add_up(tmp_path):
    path = tmp_path / "large.csv"
    path.write_bytes(b"x" * 3_000_000)
    sent = []
    with path.open("rb") as content:
        form = Multipart(content, path.name, {}, sent.append)
        pieces = list(iter(lambda: form.read(8192), b""))

    assert sum(map(len, pieces)) == len(form)
    assert max(map(len, pieces)) <= 65_536
    assert sent[-1] == 3_000_000
