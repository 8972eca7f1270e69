"""Files that come in piece by piece: begun, broken off, taken up again, made whole."""

import errno
import io
import os
import time
import uuid
from pathlib import Path

import pytest

from catalog.errors import Conflict, NotFound, StorageFull, TooLarge, UnsupportedMediaType, ValidationFailed
from catalog.imports import arrivals, drafts, storage

CONTENT = b"sku,name\n" + b"".join(b"S-%d,Lamp\n" % number for number in range(1_000))
SIZE = len(CONTENT)


@pytest.fixture
def arriving(context):
    """Begin a file; whatever is left at the end is put away."""

    def begin(filename="products.csv", size=SIZE, modified=1):
        return arrivals.begin(filename, size, modified)

    yield begin
    for one in arrivals.listing():
        arrivals.discard(one.id)
    for draft in drafts.listing():
        drafts.discard(draft.id)


def append(arrival, offset, data):
    return arrivals.append(arrival.id, offset, io.BytesIO(data))


def test_a_file_in_pieces_becomes_a_draft_byte_for_byte(arriving):
    arrival = arriving()
    for offset in range(0, SIZE, 3_000):
        arrival = append(arrival, offset, CONTENT[offset : offset + 3_000])
    draft = arrivals.finish(arrival.id)
    assert draft.path.read_bytes() == CONTENT
    assert (draft.filename, draft.size) == ("products.csv", SIZE)
    assert drafts.get(draft.id).options["mode"] == "upsert"
    assert arrivals.listing() == []
    with pytest.raises(NotFound):
        arrivals.get(arrival.id)


def test_the_same_file_begun_again_goes_on_where_it_was(arriving):
    append(arriving(), 0, CONTENT[:5_000])
    again = arriving()
    assert (again.received, again.percent) == (5_000, 100 * 5_000 // SIZE)
    append(again, 5_000, CONTENT[5_000:])
    assert arrivals.finish(again.id).path.read_bytes() == CONTENT


@pytest.mark.parametrize("other", [{"filename": "others.csv"}, {"size": SIZE + 1}, {"modified": 2}])
def test_another_file_begins_anew(arriving, other):
    append(arriving(), 0, CONTENT[:5_000])
    assert arriving(**other).received == 0


def test_of_a_piece_that_breaks_off_what_has_come_stays(arriving):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 0:
                raise ConnectionResetError
            return super().read(2_000)

    arrival = arriving()
    with pytest.raises(ConnectionResetError):
        arrivals.append(arrival.id, 0, Broken(CONTENT))
    assert arriving().received == 2_000
    append(arrival, 2_000, CONTENT[2_000:])
    assert arrivals.finish(arrival.id).path.read_bytes() == CONTENT


@pytest.mark.parametrize("offset", [0, 4_999, 5_001])
def test_a_piece_that_does_not_fit_is_refused_and_changes_nothing(arriving, offset):
    arrival = append(arriving(), 0, CONTENT[:5_000])
    with pytest.raises(Conflict, match="5,000 bytes"):
        append(arrival, offset, CONTENT[5_000:])
    assert arrivals.get(arrival.id).received == 5_000


def test_two_writers_of_one_file_do_not_mix(arriving):
    arrival = arriving()

    class Slow(io.BytesIO):
        def read(self, size=-1):
            with pytest.raises(Conflict, match="Another page"):
                append(arrival, 0, CONTENT)
            return super().read(size)

    arrivals.append(arrival.id, 0, Slow(CONTENT))
    assert arrivals.finish(arrival.id).path.read_bytes() == CONTENT


def test_a_file_that_is_not_whole_is_no_draft_yet(arriving):
    arrival = append(arriving(), 0, CONTENT[:5_000])
    with pytest.raises(Conflict, match="5,000 of"):
        arrivals.finish(arrival.id)
    assert [one.id for one in arrivals.listing()] == [arrival.id]


def test_a_file_longer_than_was_said_is_refused(arriving):
    arrival = arriving(size=100)
    with pytest.raises(ValidationFailed):
        append(arrival, 0, CONTENT)
    assert arrivals.get(arrival.id).received == 100


def test_what_is_no_product_file_is_refused_by_its_name_or_its_first_bytes_and_is_gone(arriving):
    with pytest.raises(UnsupportedMediaType):
        arriving("picture.png")
    arrival = arriving("products.csv", 1_000_000)
    with pytest.raises(UnsupportedMediaType, match="PNG"):
        append(arrival, 0, b"\x89PNG" + b"\0" * 100)
    assert arrivals.listing() == []


def test_a_file_that_is_too_large_is_refused_before_it_comes(arriving, context):
    with pytest.raises(TooLarge):
        arriving(size=(context.config["UPLOAD_MAX_MB"] << 20) + 1)


def test_a_full_disk_is_told_and_what_is_here_stays(arriving, monkeypatch):
    arrival = append(arriving(), 0, CONTENT[:5_000])

    class Full(io.BytesIO):
        def read(self, size=-1):
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageFull):
        arrivals.append(arrival.id, 5_000, Full())
    assert arrivals.get(arrival.id).received == 5_000


def full(monkeypatch):
    """Let every text that is written to a file meet a full disk, which leaves an empty file."""

    def written(path, *_, **__):
        path.open("w").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", written)


def test_a_full_disk_leaves_the_notes_from_before(arriving, monkeypatch):
    arrival = append(arriving(), 0, CONTENT[:5_000])
    with monkeypatch.context() as patch:
        full(patch)
        for modified in (1, 2):
            with pytest.raises(StorageFull):
                arriving(modified=modified)
        assert arrivals.listing() == [arrival]
    assert [path.name for path in storage.folder("arrivals").iterdir() if path.suffix == ".part"] == []
    append(arrival, 5_000, CONTENT[5_000:])


def test_a_full_disk_leaves_a_file_that_is_whole_for_another_try(arriving, monkeypatch):
    arrival = append(arriving(), 0, CONTENT)
    with monkeypatch.context() as patch:
        full(patch)
        with pytest.raises(StorageFull):
            arrivals.finish(arrival.id)
    assert drafts.listing() == []
    assert list(storage.folder("drafts").iterdir()) == []
    assert arrivals.finish(arrival.id).path.read_bytes() == CONTENT


UNREADABLE = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"filename": 1, "size": 2}',
    '{"filename": "p.csv"}',
    "\ufeff",
    "[" * 100_000,
]


@pytest.mark.parametrize("notes", UNREADABLE, ids=range(len(UNREADABLE)))
def test_notes_that_cannot_be_read_are_skipped_and_logged(arriving, caplog, notes):
    good, bad = arriving(modified=1), arriving(modified=2)
    for module in (arrivals, drafts):
        module._notes(bad.id).write_text(notes)
    assert arrivals.listing() == [good]
    assert drafts.listing() == []
    for module in (arrivals, drafts):
        with pytest.raises(NotFound):
            module.get(bad.id)
        module._remove(bad.id)
    assert str(bad.id) in caplog.text


def test_files_that_are_none_of_ours_or_go_meanwhile_do_not_spoil_the_list(arriving, context):
    arrival = arriving()
    folder = storage.folder("arrivals")
    (folder / "backup.json").write_text("{}")
    (folder / f"{uuid.uuid4()}.json").symlink_to("gone")
    (folder / "folder").mkdir()
    assert arrivals.listing() == [arrival]
    assert context.test_client().get("/console/imports").status_code == 200
    os.utime(folder / "folder", (0, 0))
    arrivals.prune()
    for path in folder.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_draft_whose_file_is_gone_is_not_found(arriving):
    arrival = append(arriving(), 0, CONTENT)
    draft = arrivals.finish(arrival.id)
    draft.path.unlink()
    assert drafts.listing() == []
    with pytest.raises(NotFound):
        drafts.get(draft.id)
    drafts._remove(draft.id)


def test_what_comes_in_is_readable_by_its_owner_alone(arriving):
    arrival = append(arriving(), 0, CONTENT)
    draft = arrivals.finish(arrival.id)
    append(arriving(modified=2), 0, CONTENT)
    folders = [storage.folder(name) for name in ("arrivals", "drafts")]
    assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o700"}
    files = [path for folder in folders for path in folder.iterdir()]
    assert len(files) == 4
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    drafts.discard(draft.id)


def test_a_name_is_only_a_name(arriving):
    assert arriving("../../etc/products.csv").filename == "products.csv"


def test_what_nobody_goes_on_with_for_a_day_is_put_away(arriving):
    old, young = arriving(modified=1), arriving(modified=2)
    for path in storage.folder("arrivals").glob(f"{old.id}*"):
        os.utime(path, (time.time() - drafts.KEPT_SECONDS - 1,) * 2)
    arrivals.prune()
    assert [one.id for one in arrivals.listing()] == [young.id]


def test_no_such_arrival_is_not_found(context):
    for ask in (arrivals.get, arrivals.finish, lambda one: arrivals.append(one, 0, io.BytesIO(b"x"))):
        with pytest.raises(NotFound):
            ask(uuid.uuid4())


def test_a_file_that_two_pages_make_whole_at_once_becomes_one_draft(arriving, monkeypatch):
    arrival = append(arriving(), 0, CONTENT)
    keep, refused = drafts.keep, []

    def meanwhile(upload):
        monkeypatch.setattr(drafts, "keep", keep)
        with pytest.raises(Conflict) as refusal:
            arrivals.finish(arrival.id)
        refused.append(refusal)
        return keep(upload)

    monkeypatch.setattr(drafts, "keep", meanwhile)
    assert arrivals.finish(arrival.id).path.read_bytes() == CONTENT
    assert len(refused) == 1
    assert len(drafts.listing()) == 1
