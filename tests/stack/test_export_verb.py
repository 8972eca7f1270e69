"""`export FILE` against a stand-in for the service."""

import pytest
from click.testing import CliRunner
from werkzeug.wrappers import Request, Response

from catalog.cli import main
from tests.processes import standing_in

BODY = b"sku,name\nA,Lamp\n" * 50_000


class Service:
    """Answers an export; `announced` is the length it claims."""

    def __init__(self):
        self.announced = len(BODY)
        self.status = 200

    def __call__(self, environ, start_response):
        self.asked = dict(Request(environ).args)
        answer = Response(BODY, self.status)
        answer.headers["Content-Length"] = str(self.announced)
        if self.status != 200:
            answer = Response('{"detail": "Too many exports"}', self.status)
        return answer(environ, start_response)


@pytest.fixture
def service():
    app = Service()
    with standing_in(app) as app.url:  # type: ignore[attr-defined]
        yield app


def run(service, file, *options):
    return CliRunner().invoke(main, ["export", str(file), "--url", service.url, *options])


@pytest.mark.parametrize(
    ("name", "options", "asked"),
    [
        ("p.csv", [], {"format": "csv"}),
        ("p.jsonl", [], {"format": "jsonl"}),
        ("p.txt", ["--format", "jsonl"], {"format": "jsonl"}),
        (
            "p.csv",
            ["--inactive", "--search", "desk la", "--min-price", "1.5", "--sort", "-name"],
            {"format": "csv", "active": "false", "search": "desk la", "min_price": "1.5", "sort": "-name"},
        ),
    ],
)
def test_the_filters_arrive_and_the_file_holds_what_the_service_sent(service, tmp_path, name, options, asked):
    ended = run(service, tmp_path / name, *options)
    assert ended.exit_code == 0, ended.output
    assert service.asked == asked
    assert (tmp_path / name).read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert "800,000 bytes written" in ended.output


def test_a_dash_writes_to_the_screen(service):
    assert run(service, "-").stdout_bytes == BODY


@pytest.mark.parametrize("change", [{"announced": len(BODY) + 1}, {"status": 503}])
def test_an_export_that_fails_leaves_the_old_file_and_says_so(service, tmp_path, change):
    (tmp_path / "p.csv").write_text("old")
    vars(service).update(change)
    ended = run(service, tmp_path / "p.csv")
    assert ended.exit_code == 1
    assert "broke off" in ended.output or "Too many exports" in ended.output
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
