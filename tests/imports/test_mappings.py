"""Mappings that are kept under a name, and those that a header suggests."""

import json

import pytest

from catalog.imports import service
from tests.imports.conftest import counts
from tests.imports.test_mapping import CONTENT, MAPPING

URL = "/api/v1/imports/mappings"
SUGGESTED = "/api/v1/imports/suggested-mapping"


def keep(client, name="supplier-7", mapping=MAPPING):
    return client.post(URL, json={"name": name, "mapping": mapping})


def test_a_mapping_is_kept_read_listed_replaced_and_forgotten(client):
    kept = keep(client)
    assert (kept.status_code, kept.headers["Location"]) == (201, f"{URL}/supplier-7")
    assert client.get(f"{URL}/supplier-7").json == kept.json
    assert list(kept.json["mapping"]) == list(MAPPING)  # in the order of its columns
    assert [item["name"] for item in client.get(URL).json["items"]] == ["supplier-7"]
    changed = client.put(f"{URL}/supplier-7", json={"mapping": {"No": "sku"}})
    assert (changed.status_code, changed.json["mapping"]) == (200, {"No": "sku"})
    assert client.delete(f"{URL}/supplier-7").status_code == 204
    assert client.get(f"{URL}/supplier-7").status_code == 404


def test_a_name_is_taken_once(client):
    keep(client)
    again = keep(client, mapping={"No": "sku"})
    assert (again.status_code, again.json["errors"][0]["field"]) == (409, "name")
    assert client.get(f"{URL}/supplier-7").json["mapping"] == MAPPING


@pytest.mark.parametrize("name", ["", "a b", "a/b", "suggest", "x" * 101, "-a"])
def test_a_name_that_would_not_fit_into_an_address_is_refused(client, name):
    answer = keep(client, name)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "name")


def test_a_wrong_mapping_is_not_kept(client):
    wrong = {"Preis": ["price", "nope"]}
    answer = keep(client, mapping=wrong)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "mapping.Preis")
    keep(client)
    assert client.put(f"{URL}/supplier-7", json={"mapping": wrong}).status_code == 400


@pytest.mark.parametrize("method", ["get", "put", "delete"])
@pytest.mark.parametrize("name", ["none", "a%00b", "%20"])
def test_an_unknown_mapping_is_not_found(client, method, name):
    body = {"json": {"mapping": MAPPING}} if method == "put" else {}
    assert getattr(client, method)(f"{URL}/{name}", **body).status_code == 404


def test_numbers_in_a_mapping_stay_exact(client):
    kept = keep(client, mapping={"Preis": ["price", ["multiply", 1.1], ["round_to", 2]]})
    assert (kept.status_code, kept.json["mapping"]) == (201, {"Preis": ["price", ["multiply", "1.1"], ["round_to", 2]]})


def test_an_upload_takes_a_kept_mapping_by_its_name(importer):
    keep(importer.client)
    assert counts(importer.run(CONTENT, mapping_name="supplier-7")) == {"created": 2}
    assert importer.by_sku()["A-1"]["name"] == "Desk Lamp"


def test_an_import_keeps_the_mapping_that_it_was_submitted_with(importer):
    keep(importer.client)
    import_id = importer.submit(CONTENT, mapping_name="supplier-7")
    importer.client.delete(f"{URL}/supplier-7")
    service.run(import_id)
    assert counts(importer.result(import_id)) == {"created": 2}
    assert importer.client.get(f"/api/v1/imports/{import_id}").json["options"]["mapping"] == MAPPING


def test_an_upload_with_an_unknown_name_or_both_is_refused(importer):
    unknown = importer.upload(CONTENT, mapping_name="none")
    assert (unknown.status_code, unknown.json["errors"][0]["field"]) == (400, "mapping_name")
    keep(importer.client)
    both = importer.upload(CONTENT, mapping_name="supplier-7", mapping=json.dumps(MAPPING))
    assert (both.status_code, both.json["errors"][0]["field"]) == (400, "mapping")


@pytest.mark.parametrize(
    ("header", "mapping", "unmatched", "missing"),
    [
        (["sku", "name"], {"sku": "sku", "name": "name"}, [], []),
        ([" SKU ", "Name"], {" SKU ": "sku", "Name": "name"}, [], []),
        (["Artikel-Nr.", "Titel", "Farbe"], {"Artikel-Nr.": "sku", "Titel": "name"}, ["Farbe"], []),
        (["Référence", "Nom", "Image URL"], {"Référence": "sku", "Nom": "name", "Image URL": "image"}, [], []),
        (["Titel", "name", "NAME"], {"name": "name"}, ["Titel", "NAME"], ["sku"]),
        (["x"], {}, ["x"], ["sku", "name"]),
    ],
)  # fmt: skip
def test_a_header_suggests_a_mapping_exact_then_case_then_synonyms(client, header, mapping, unmatched, missing):
    answer = client.post(SUGGESTED, json={"header": header})
    assert answer.json == {"mapping": mapping, "unmatched": unmatched, "missing": missing}


def test_a_suggestion_can_be_used_as_it_is(importer):
    header = CONTENT.partition("\n")[0].split(";")
    suggested = importer.client.post(SUGGESTED, json={"header": header}).json["mapping"]
    assert suggested == {"Artikel": "sku", "Titel": "name", "Preis": "price"}
    assert importer.upload(CONTENT, mapping=json.dumps(suggested)).status_code == 202


@pytest.mark.parametrize("body", [{}, {"header": []}, {"header": "sku"}, {"header": [None]}])
def test_a_suggestion_needs_a_header(client, body):
    assert client.post(SUGGESTED, json=body).status_code == 400
