"""Promise: every row of a file is applied or reported, whatever the file."""

import csv
import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from catalog.extensions import db
from catalog.imports import loading, service
from tests.profiles import examples

skus = st.sampled_from(["a", "A", "b", " b", "B ", "ä", "Ä", "c", "", "x" * 101])
names = st.sampled_from(["One", "Two", "", "  ", "n\nn", 'q"q', "a\0"])
prices = st.sampled_from(["1", "2.50", "", "NaN", "0", " 3 "])
good_or_bad_rows = st.tuples(skus, names, prices).map(list) | st.lists(names, max_size=5)
broken_lines = st.sampled_from(['"open', 'd,"x"y,1', "\n", "e,E,1"])


def written(rows: list) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    for row in rows:
        if isinstance(row, str):
            buffer.write(row + "\n")
        else:
            writer.writerow(row)
    return buffer.getvalue()


files = st.lists(good_or_bad_rows | broken_lines, min_size=1, max_size=30).map(written).filter(str.strip)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=files, second=files, mode=st.sampled_from(["upsert", "create_only", "update_only"]))
def test_created_updated_unchanged_superseded_and_rejected_add_up_to_the_rows(
    importer, monkeypatch, first, second, mode
):
    monkeypatch.setattr(loading, "CHUNK_ROWS", 3)
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM products"))
    existing = 0
    for content in (first, second):
        import_id = importer.submit("sku,name,price\n" + content, mode=mode if content is second else "upsert")
        service.run(import_id)
        result = importer.result(import_id)
        assert result["status"] == "completed"
        applied = result["created"] + result["updated"] + result["unchanged"]
        assert applied + result["superseded"] + result["errors"] == result["total_rows"] == result["processed_rows"]
        assert len(result["error_details"]) == result["errors"]
        assert len(result["superseded_details"]) == result["superseded"]
        existing += result["created"]
        assert len(importer.products()) == existing
