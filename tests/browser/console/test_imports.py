"""From a file to products in the browser: mapped, rehearsed, watched, corrected."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.processes import wait_for

SEMICOLONS = "Artikelnummer;Titel;Preis\nA-1; desk lamp ;1.299,50\nA-2;chair;80\n"


@pytest.fixture
def files(tmp_path):
    """Write files for the browser to choose: `files(name, text)` returns the path."""

    def write(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write


def choose(page, *paths):
    page.goto("/console/imports")
    page.set_input_files("#files", [str(path) for path in paths])


def ended(page, state="completed"):
    page.locator("[data-ended=yes]").get_by_text(state, exact=True).wait_for(timeout=30_000)


def test_a_newcomer_needs_three_clicks_from_the_first_page_to_an_imported_file(visit, rows, files):
    page, clicks = visit.page, 0
    page.goto("/")
    page.get_by_role("link", name="Import a file").click()
    clicks += 1
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose files").click()
        clicks += 1
    chooser.value.set_files(files("lamps.csv", "sku,name,price\nL-1,Lamp,5\n"))
    page.get_by_role("button", name="Import", exact=True).click()
    clicks += 1
    ended(page)
    assert clicks <= 4
    assert rows("SELECT sku, name, price::text FROM products") == [("L-1", "Lamp", "5.00")]
    assert visit.complaints == []


def test_a_foreign_file_is_mapped_with_suggestions_and_transforms_seen_before_and_after(visit, rows, files, looks):
    page = visit.page
    choose(page, files("möbel.csv", SEMICOLONS.replace("desk", "dösk"), "cp1252"))
    page.wait_for_url(re.compile("/drafts/"))
    assert page.get_by_label("Encoding").input_value() == "cp1252"
    assert page.get_by_label("Between the cells").input_value() == ";"
    assert page.get_by_label("Field that Artikelnummer becomes").input_value() == "sku"
    page.get_by_text("price: Not a valid number.").first.wait_for()
    page.get_by_label("Transforms of Preis").fill("parse_number:de")
    page.get_by_label("Transforms of Preis").press("Tab")
    page.locator("ins", has_text="1299.50").wait_for()
    page.get_by_label("Transforms of Titel").fill("strip | title_case")
    page.get_by_label("Transforms of Titel").press("Tab")
    page.locator("ins", has_text="Dösk Lamp").wait_for()
    looks.at("import-preview", "#preview-title")
    page.get_by_text("Keep this mapping under a name").click()
    page.get_by_label("Name", exact=True).fill("supplier-7")
    page.get_by_role("button", name="Keep it", exact=True).click()
    page.get_by_text("The mapping is kept as supplier-7.").wait_for()
    page.get_by_role("button", name="Import", exact=True).click()
    ended(page)
    assert rows("SELECT sku, name, price::text FROM products ORDER BY sku") == [
        ("A-1", "Dösk Lamp", "1299.50"),
        ("A-2", "Chair", "80.00"),
    ]
    choose(page, files("again.csv", SEMICOLONS))
    page.get_by_label("Kept mapping").select_option(label="supplier-7")
    page.locator("ins", has_text="1299.50").wait_for()
    page.goto("/console/imports")
    page.get_by_text("Kept mappings (1)").click()
    page.get_by_role("list", name="Kept mappings").get_by_text("Preis → price | parse_number:de").wait_for()
    page.get_by_role("button", name="Forget").click()
    page.get_by_text("Forget this one mapping, supplier-7?").wait_for()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Kept mappings")).to_have_count(0)
    assert rows("SELECT count(*) FROM import_mappings") == [(0,)]
    assert visit.complaints == []


def test_a_dry_run_shows_its_differences_and_is_carried_out(visit, rows, files, looks):
    page = visit.page
    lines = [f"S-{number},Lamp {number},{number + 1}" for number in range(120)]
    choose(page, files("first.csv", "\n".join(["sku,name,price", *lines])))
    page.get_by_role("button", name="Import", exact=True).click()
    ended(page)
    choose(page, files("second.csv", "\n".join(["sku,name,price", *(line + "0" for line in lines)])))
    page.get_by_role("button", name="Dry run").click()
    ended(page)
    assert rows("SELECT count(*) FROM products WHERE version = 1")[0][0] == 120
    while page.get_by_role("button", name="More of them").count():
        before = page.locator("#differences th").count()
        page.get_by_role("button", name="More of them").click()
        wait_for(lambda seen=before: page.locator("#differences th").count() > seen, seconds=10)
    assert page.locator("#differences th").count() == 120
    looks.at("import-dry-run", "#differences")
    page.get_by_role("button", name="Carry it out").click()
    page.get_by_role("button", name="Yes").click()
    page.locator("[data-part=state]", has_text=re.compile("completed|Completed")).wait_for(timeout=30_000)
    page.get_by_text("What the dry run saw").wait_for()
    wait_for(lambda: rows("SELECT count(*) FROM products WHERE version = 2")[0][0] == 120)


def test_rejected_rows_are_corrected_in_place_and_imported_again(visit, rows, files, looks):
    page = visit.page
    choose(page, files("dirty.csv", "sku,name,price\nD-1,Lamp,cheap\nD-2,Desk,5\nD-3,,7\n"))
    page.get_by_role("button", name="Import", exact=True).click()
    ended(page)
    looks.at("import", "#import")
    with page.expect_download() as download:
        page.get_by_role("link", name="As a file").click()
    assert download.value.path().read_text().splitlines()[:2] == [
        "_line,_field,_error,sku,name,price",
        "2,price,Not a valid number.,D-1,Lamp,cheap",
    ]
    page.get_by_role("link", name="Correct 2 rejected rows").click()
    looks.at("import-rejected", "#corrections")
    page.get_by_label("price, line 2").fill("9.50")
    page.get_by_label("price, line 2").press("Enter")
    page.locator("tr[data-line='2']").get_by_text("good now").wait_for()
    page.reload()
    assert page.get_by_label("price, line 2").input_value() == "9.50"
    page.get_by_label("name, line 4").fill("Chair")
    page.get_by_label("name, line 4").press("Tab")
    page.get_by_text("2 corrected").wait_for()
    page.get_by_role("button", name="Import the corrected rows").click()
    ended(page)
    assert rows("SELECT sku, name, price::text FROM products ORDER BY sku") == [
        ("D-1", "Lamp", "9.50"),
        ("D-2", "Desk", "5.00"),
        ("D-3", "Chair", "7.00"),
    ]
    assert rows("SELECT rejected FROM imports ORDER BY created_at DESC LIMIT 1") == [(0,)]
    assert visit.complaints == []


def test_twenty_thousand_dirty_rows_are_mended_by_a_transform_to_zero_rejected(visit, rows, files):
    page = visit.page
    lines = [f'M-{number},Lamp,"{number + 1},50"' for number in range(20_000)]
    choose(page, files("many.csv", "\n".join(["sku,name,price", *lines])))
    page.get_by_role("button", name="Import", exact=True).click()
    ended(page)
    assert rows("SELECT rejected FROM imports") == [(20_000,)]
    page.get_by_role("link", name="Correct 20,000 rejected rows").click()
    page.get_by_role("button", name="mend all of them with transforms").click()
    page.get_by_label("Transforms of price").fill("parse_number:de")
    page.get_by_label("Transforms of price").press("Tab")
    page.get_by_text("The first 10 rows are good.").wait_for()
    page.get_by_role("button", name="Import", exact=True).click()
    ended(page)
    assert rows("SELECT rejected, created FROM imports ORDER BY created_at DESC LIMIT 1") == [(0, 20_000)]
    assert rows("SELECT count(*), min(price)::text FROM products") == [(20_000, "1.50")]


def test_many_files_come_in_together_wait_after_a_reload_and_are_imported_together(visit, rows, files, looks):
    page = visit.page
    paths = [files(f"part-{number}.csv", f"sku,name\nP-{number},Lamp\n") for number in range(3)]
    choose(page, *paths, files("picture.csv", "\x89PNG"), files("foreign.csv", "Ware;Farbe\nx;y\n"))
    page.get_by_role("button", name="Import all that are ready").wait_for()
    page.get_by_role("button", name="Import all that are ready").click()
    expect(page.get_by_text("needs a look")).to_have_count(2, timeout=30_000)
    visit.complaints.clear()  # the browser notes the refusals
    assert rows("SELECT count(*) FROM imports") == [(3,)]
    page.reload()
    page.get_by_role("region", name="Files that wait").get_by_text("foreign.csv").wait_for()
    page.get_by_role("region", name="History").get_by_text("part-2.csv").wait_for()
    looks.at("imports", "#history")
    for left in (1, 0):
        page.get_by_role("button", name="Put away").first.click()
        page.get_by_role("button", name="Yes").click()
        expect(page.get_by_role("button", name="Put away")).to_have_count(left)


DROPPED = """() => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(["sku,name\\nD-1,Lamp\\n"], "dropped.csv"));
  return transfer;
}"""


def test_a_file_that_is_dropped_on_the_page_is_taken_in(visit, emptied):
    page = visit.page
    page.goto("/console/imports")
    page.dispatch_event("#drop", "drop", {"dataTransfer": page.evaluate_handle(DROPPED)})
    page.get_by_role("heading", name="dropped.csv").wait_for()
    page.get_by_text("can be imported").wait_for()
    assert visit.complaints == []


PIECE = 8 << 20
OFFSET = re.compile(r"offset=([0-9]+)")


@pytest.fixture
def halfway(visit, emptied, files):
    """Have a file of three pieces come in until the second one, which never does; return its path."""
    page = visit.page
    filler = "x" * 1_000
    lines = [f"H-{number},Lamp,{filler}" for number in range(20_000)]
    path = files("huge.csv", "\n".join(["sku,name,description", *lines]))
    page.route(re.compile(r"offset=[1-9]"), lambda route: None)
    choose(page, path)
    page.locator("#uploads").get_by_text(re.compile("^4[0-9] %$")).wait_for(timeout=30_000)
    return path


def offsets(page):
    """Return the list that the offsets of all pieces from now on come into."""
    seen = []
    page.on("request", lambda request: seen.extend(map(int, OFFSET.findall(request.url))))
    return seen


def test_an_upload_goes_on_by_itself_after_its_page_was_loaded_again(visit, halfway):
    page, seen = visit.page, offsets(visit.page)
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    page.wait_for_url(re.compile("/drafts/"), timeout=60_000)
    size = halfway.stat().st_size
    page.get_by_text(f"{size:,} bytes").wait_for()
    assert seen[0] >= PIECE  # also of the piece that was on its way the beginning is kept
    steps = [after - before for before, after in itertools.pairwise([*seen, size])]
    assert all(0 < step <= PIECE for step in steps)
    # More of that piece may come in after the page asked how far it is: then its next one is told so, and corrected.
    corrected = sum(step < PIECE for step in steps[:-1])
    page.goto("/console/imports")
    page.get_by_role("region", name="Files that wait").get_by_text("huge.csv").wait_for()
    expect(page.locator("#uploads li")).to_have_count(0)
    assert corrected <= 1
    assert len(visit.complaints) == corrected
    assert all("409 (CONFLICT)" in complaint for complaint in visit.complaints)


FORGET = """new Promise((done) => {
  const request = indexedDB.open("uploads", 1);
  request.onsuccess = () => {
    const transaction = request.result.transaction("files", "readwrite");
    transaction.objectStore("files").clear();
    transaction.oncomplete = () => { request.result.close(); done(); };
  };
})"""


def test_what_the_browser_has_forgotten_is_shown_and_goes_on_with_the_same_file_or_is_put_away(visit, halfway, looks):
    page = visit.page
    page.evaluate(FORGET)
    page.reload()
    page.get_by_role("region", name="Files that wait").get_by_text(re.compile("4[0-9] % of")).wait_for()
    looks.at("imports-broken-off", "#drop")
    page.unroute_all(behavior="ignoreErrors")
    seen = offsets(page)
    page.set_input_files("#files", str(halfway))
    page.wait_for_url(re.compile("/drafts/"), timeout=60_000)
    assert seen == [PIECE, 2 * PIECE]
    page.route(re.compile(r"offset=[1-9]"), lambda route: None)
    choose(page, halfway)
    page.locator("#uploads").get_by_text(re.compile("^4[0-9] %$")).wait_for(timeout=30_000)
    page.reload()
    page.locator("#uploads").get_by_text(re.compile("^4[0-9] %$")).wait_for(timeout=30_000)
    page.evaluate(FORGET)
    page.reload()
    page.locator("[data-arrival]").get_by_role("button", name="Put away").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.locator("[data-arrival]")).to_have_count(0)


def test_a_connection_that_breaks_in_the_middle_is_gone_on_with(visit, emptied, files):
    page, broken = visit.page, []

    def abort_once(route):
        broken.append(route.request.url)
        route.abort() if len(broken) == 1 else route.continue_()

    page.route(re.compile(r"offset=[1-9]"), abort_once)
    path = files("long.csv", "sku,name,description\n" + "".join(f"L-{n},Lamp,{'y' * 1_000}\n" for n in range(9_000)))
    choose(page, path)
    page.get_by_text("broke off; goes on in a moment").wait_for(timeout=30_000)
    page.wait_for_url(re.compile("/drafts/"), timeout=60_000)
    page.get_by_text(f"{path.stat().st_size:,} bytes").wait_for()


def test_a_file_that_is_none_is_refused_in_words(visit, emptied, files):
    choose(visit.page, files("picture.xlsx", "no workbook"))
    visit.page.get_by_text("is no .xlsx file, whatever its name says").wait_for()


def test_before_anything_is_imported_the_history_says_so(visit, emptied, looks):
    visit.page.goto("/console/imports")
    visit.page.get_by_text("Nothing has been imported yet").wait_for()
    looks.at("imports-empty", "#history")


def test_a_running_import_shows_its_pace_and_is_cancelled(visit, rows, files):
    page = visit.page
    lines = [f"R-{number},Lamp {number},{number % 900 + 1}.5" for number in range(400_000)]
    choose(page, files("big.csv", "\n".join(["sku,name,price", *lines])))
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("[data-part=speed]")).to_have_text(re.compile(r"^[1-9][0-9,]*$"), timeout=60_000)
    expect(page.locator("[data-part=left]")).to_have_text(re.compile(r"^[0-9]+ s$"))
    page.reload()  # and goes on where it is
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Yes").click()
    ended(page, "cancelled")
    assert rows("SELECT state FROM imports") == [("cancelled",)]
    assert visit.complaints == []
