"""Quotas of files: how many a caller may have open, and how many bytes of its files are stored."""

import io
import threading
import uuid

import pytest

from catalog.errors import QuotaExceeded
from catalog.extensions import db
from catalog.imports import arrivals, corrections, drafts, service
from catalog.imports.models import RejectedRow
from catalog.imports.schemas import UploadOptionsSchema
from tests.imports.conftest import Importer

CONTENT = b"sku,name\nS-1,Lamp\n"
SIZE = len(CONTENT)
ME, OTHER = "127.0.0.1", "192.0.2.7"
MEGABYTE = 1 << 20


@pytest.fixture
def limited(app, context, monkeypatch, tmp_path):
    """Three open files and one megabyte for each caller, in a folder of our own."""
    for name, value in {"UPLOAD_DIR": tmp_path, "DRAFTS_PER_KEY": 3, "STORED_MB_PER_KEY": 1}.items():
        monkeypatch.setitem(app.config, name, value)
    return app


def asking(app, address=ME):
    return app.test_request_context(environ_base={"REMOTE_ADDR": address})


def begin(name, size=SIZE):
    return arrivals.begin(name, size, 1)


def bring(name, content=CONTENT):
    arrival = begin(name, len(content))
    arrivals.append(arrival.id, 0, io.BytesIO(content))
    return arrivals.finish(arrival.id)


def import_draft(draft, **options):
    return drafts.start(draft.id, UploadOptionsSchema().load(options))


def test_open_files_of_a_caller_are_bounded_and_discarding_gives_room(limited):
    with asking(limited):
        draft, arriving = bring("a.csv"), begin("b.csv")
        begin("c.csv")
        with pytest.raises(QuotaExceeded, match=r"3 files .*DRAFTS_PER_KEY.* Import or discard") as refused:
            begin("d.csv")
        assert (refused.value.status, refused.value.code) == (409, "quota_exceeded")
        assert begin("b.csv") == arriving, "an upload that has begun may continue"
        drafts.discard(draft.id)
        begin("d.csv")
        arrivals.discard(arriving.id)
        begin("e.csv")


def test_open_files_of_others_do_not_count(limited):
    for address in (ME, OTHER, "2001:db8::1"):
        with asking(limited, address):
            for number in range(3):
                begin(f"{address[-1]}{number}.csv")
    with asking(limited, "2001:db8::2"), pytest.raises(QuotaExceeded):  # the same /64
        begin("more.csv")


def test_a_file_becomes_a_draft_also_when_no_other_may_begin(limited):
    with asking(limited):
        assert [bring(f"{number}.csv").filename for number in range(3)] == ["0.csv", "1.csv", "2.csv"]
        with pytest.raises(QuotaExceeded):
            begin("3.csv")
        import_draft(drafts.listing()[0])
        bring("3.csv")


def test_drafts_of_corrected_rows_count_too(limited):
    with asking(limited):
        imported = import_draft(bring("a.csv"))
        db.session.add(RejectedRow(import_id=imported.id, line=2, field="x", code="x", message="x", data=["S", "L"]))
        db.session.commit()
        for _ in range(3):
            corrections.draft(imported.id, {})
        with pytest.raises(QuotaExceeded):
            corrections.draft(imported.id, {})


def test_stored_bytes_of_a_caller_are_bounded(limited):
    with asking(limited):
        arriving = begin("large.csv", MEGABYTE - 100)
        with pytest.raises(QuotaExceeded, match=r"1 are allowed \(STORED_MB_PER_KEY\).*\(30 days after"):
            begin("b.csv", 101)
        bring("small.csv")
        arrivals.discard(arriving.id)
        begin("b.csv", MEGABYTE // 2)
    with asking(limited, OTHER):
        begin("c.csv", MEGABYTE)


def test_a_draft_and_its_dry_runs_are_one_file(limited):
    content = CONTENT + b"S-2,%b\n" % (b"x" * 600_000)
    with asking(limited):
        draft = bring("a.csv", content)
        for _ in range(3):
            import_draft(draft, dry_run="true")
        import_draft(draft)
        assert drafts.listing() == []
        with pytest.raises(QuotaExceeded, match="STORED_MB_PER_KEY"):
            bring("b.csv", content)


def test_uploads_count_and_one_that_is_refused_leaves_nothing(limited, tmp_path):
    importer = Importer(limited.test_client())
    content = CONTENT + b"S-2,%b\n" % (b"x" * 400_000)
    assert [importer.upload(content, f"{number}.csv").status_code for number in range(3)] == [202, 202, 409]
    refused = importer.upload(content)
    assert (refused.json["code"], "STORED_MB_PER_KEY" in refused.json["detail"]) == ("quota_exceeded", True)
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 2
    assert service.history(limit=20, offset=0)["total"] == 2
    assert importer.upload(CONTENT).status_code == 202


def test_uploads_that_come_at_once_do_not_pass_together(app, committed, monkeypatch, tmp_path):
    monkeypatch.setitem(app.config, "UPLOAD_DIR", tmp_path)
    monkeypatch.setitem(app.config, "STORED_MB_PER_KEY", 1)
    content = CONTENT + b"S-2,%b\n" % (b"x" * 600_000)
    at_once, statuses = threading.Barrier(4), []

    def upload():
        client = app.test_client()
        at_once.wait()
        statuses.append(Importer(client).upload(content, f"{uuid.uuid4()}.csv").status_code)

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202, 409, 409, 409]


def test_the_command_line_has_no_quota(limited):
    for number in range(5):
        begin(f"{number}.csv", MEGABYTE)
