"""What an upload is answered, and what is left of it on disk."""

import errno
import gzip
import io
import socket
import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text
from werkzeug.serving import make_server

from catalog.extensions import db
from catalog.imports import storage

GOOD = "sku,name\nA,One\n"


def stored(app) -> set[str]:
    folder = Path(app.config["UPLOAD_DIR"])
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture(autouse=True)
def own_folder(app, tmp_path, monkeypatch):
    monkeypatch.setitem(app.config, "UPLOAD_DIR", tmp_path / "uploads")


def test_a_good_file_is_taken_in_and_kept(importer, app):
    response = importer.upload(GOOD, "../files/My products.csv")
    import_id = response.json["task_id"]
    assert response.status_code == 202
    assert response.json == {
        "task_id": import_id,
        "status": "submitted",
        "message": "Import of My products.csv submitted",
        "filename": "My products.csv",
    }
    assert response.headers["Location"] == f"/api/v1/products/upload/{import_id}/status"
    assert stored(app) == {import_id}
    assert storage.path_of(uuid.UUID(import_id)).read_text() == GOOD


def test_the_bell_is_rung_once_it_is_committed(importer, monkeypatch):
    from catalog import jobqueue

    rung = []
    monkeypatch.setattr(jobqueue, "ring", lambda *args, **kwargs: rung.append((*args, kwargs["queue_name"])))
    import_id = importer.submit(GOOD)
    assert rung == [("catalog.imports.jobs.run", str(import_id), "imports")]


@pytest.mark.parametrize(
    ("content", "filename", "options", "status", "field", "message"),
    [
        ("", "p.csv", {}, 400, "file", "empty"),
        ("sku,name\n", "p.csv", {}, 400, "file", "a header and no rows"),
        ("sku,name\n\n\r\n", "p.csv", {}, 400, "file", "a header and no rows"),
        ("\ufeff", "p.csv", {}, 400, "file", "empty"),
        ("name\nx\n", "p.csv", {}, 400, "file", "no column sku"),
        ("sku,name,sku\nx\n", "p.csv", {}, 400, "file", "twice"),
        ("sku;name\nA;1\n", "p.csv", {"delimiter": ","}, 400, "file", "no column"),
        (GOOD, "p.csv", {"mode": "replace"}, 400, "mode", "Must be one of"),
        (GOOD, "p.csv", {"on_error": "stop"}, 400, "on_error", "Must be one of"),
        (GOOD, "p.csv", {"empty": "null"}, 400, "empty", "Must be one of"),
        (GOOD, "p.csv", {"delimiter": "x"}, 400, "delimiter", "Must be one of"),
        (GOOD, "p.csv", {"encoding": "idna"}, 400, "encoding", "Must be one of"),
        (GOOD, "p.csv", {"encoding": "nul\0"}, 400, "encoding", "Must be one of"),
        (GOOD, "p.csv", {"colour": "red"}, 400, "colour", "Unknown field"),
        (b"sku,name\nA,\xff\xfe\n", "p.csv", {}, 400, None, "Line 2, byte 12"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "p.csv.gz", {}, 400, None, "cut off"),
        (b"PK\x03\x04" + bytes(100), "p.csv", {}, 415, None, "an .xlsx or .zip file"),
        (b"\x89PNG\r\n\x1a\n", "p.csv", {}, 415, None, "a PNG picture"),
        (GOOD, "p.txt", {}, 415, None, "is not one of"),
        (GOOD, "p.xlsx", {}, 415, None, "no .xlsx file"),
    ],
)
def test_a_wrong_upload_is_refused_in_clear_words_and_leaves_nothing(
    importer, app, content, filename, options, status, field, message
):
    response = importer.upload(content, filename, **options)
    problem = response.json
    said = [(error["field"], error["message"]) for error in problem.get("errors", [])] or [(None, problem["detail"])]
    assert response.status_code == status
    assert len(said) == 1
    assert said[0][0] == field
    assert message in said[0][1]
    assert stored(app) == set()
    assert db.session.scalar(text("SELECT count(*) FROM imports")) == 0


def test_what_is_no_form_is_refused(importer):
    assert importer.client.post("/api/v1/products/upload", json={"file": "x"}).status_code == 415


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"file": "only text"},
        {"other": (io.BytesIO(b"sku,name\na,b\n"), "p.csv")},
        {"file": [(io.BytesIO(b"sku,name\na,b\n"), "p.csv"), (io.BytesIO(b"sku,name\na,b\n"), "q.csv")]},
    ],
    ids=["nothing", "a text", "another field", "two files"],
)
def test_a_form_without_just_one_file_is_refused(importer, app, form):
    response = importer.client.post("/api/v1/products/upload", data=form, content_type="multipart/form-data")
    assert (response.status_code, response.json["errors"][0]["field"]) == (400, "file")
    assert stored(app) == set()


def test_a_file_over_the_limit_is_refused(importer, app, monkeypatch):
    monkeypatch.setitem(app.config, "UPLOAD_MAX_MB", 1)
    response = importer.upload(GOOD + "B," + "x" * (1 << 20))
    assert (response.status_code, response.json["code"]) == (413, "too_large")
    assert stored(app) == set()


def test_a_body_over_the_limit_is_refused_while_it_comes_in(importer, app, monkeypatch):
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1 << 20)
    response = importer.upload("x" * (2 << 20))
    assert response.status_code == 413
    assert stored(app) == set()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_nothing(importer, app, monkeypatch, number):
    class Full(io.FileIO):
        def write(self, _):
            raise OSError(number, "full")

    real = storage.new_part
    monkeypatch.setattr("catalog.imports.upload.storage.new_part", lambda: Full(real().name, "w"))
    response = importer.upload(GOOD)
    assert (response.status_code, response.json["code"]) == (507, "storage_full")
    assert stored(app) == set()


@pytest.fixture
def address(committed):
    """The app behind a real socket."""
    server = make_server("127.0.0.1", 0, committed, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_upload_that_is_cut_off_leaves_nothing(importer, app, address):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n' + GOOD.encode()
    with socket.create_connection(address) as client:
        client.sendall(
            b"POST /api/v1/products/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n" + head
        )
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.split(b" ", 2)[1] == b"400"
    assert stored(app) == set()
    assert db.session.scalar(text("SELECT count(*) FROM imports")) == 0
