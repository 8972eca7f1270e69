"""What all pages of the console share: who gets them, their policy, refused changes, problems as pages, files."""

import gzip
import re
from pathlib import Path

import pytest

import catalog

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TOKEN = "a-token-of-the-page"
SECTIONS = [
    "overview",
    "products",
    "imports",
    "webhooks",
    "orders",
    "tasks",
    "jobs",
    "api",
    "keys",
    "users",
    "audit",
    "account",
]


def post(client, path, headers=None, json=None):
    client.set_cookie("catalog_csrf", TOKEN, path="/console")
    return client.post(path, json=json or {}, headers={"X-CSRF-Token": TOKEN, **(headers or {})})


def test_a_browser_is_sent_to_the_console_and_a_program_gets_json(client):
    sent = client.get("/", headers=HTML)
    assert (sent.headers["Location"], sent.headers["Vary"]) == ("/console/overview", "Accept")
    for accept in ("application/json", "*/*", None):
        headers = {"Accept": accept} if accept else {}
        assert client.get("/", headers=headers).json["service"] == "catalog"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_a_page_under_a_strict_policy(client, section):
    answer = client.get(f"/console/{section}", headers=HTML)
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("section", SECTIONS)
def test_a_page_names_no_other_host_and_holds_no_script_and_no_style_of_its_own(client, section):
    text = client.get(f"/console/{section}", headers=HTML).text
    assert not re.search(r'(src|href|action)="(https?:)?//', text)
    assert not re.search(r"<script(?![^>]*src=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_page_is_small(client, section):
    assert len(client.get(f"/console/{section}", headers=HTML).data) < 100_000


def test_a_page_leads_to_every_section(client):
    text = client.get("/console/overview", headers=HTML).text
    assert all(f'href="/console/{section}"' in text for section in SECTIONS)


def test_a_change_with_the_pages_token_is_taken(client):
    assert post(client, "/console/products", json={"name": "Lamp"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"X-CSRF-Token": ""}, "too old"),
        ({"X-CSRF-Token": "another"}, "too old"),
        ({"Sec-Fetch-Site": "cross-site"}, "another site"),
        ({"Sec-Fetch-Site": "same-site"}, "another site"),
        ({"Origin": "https://evil.example"}, "another site"),
        ({"Origin": "null"}, "another site"),
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(client, headers, why):
    answer = post(client, "/console/products", headers=headers, json={"name": "Lamp"})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert why in answer.json["detail"]
    assert client.get("/api/v1/products").json["total"] == 0


def test_a_change_without_the_cookie_is_refused_whatever_token_it_sends(client):
    assert client.post("/console/products", json={"name": "L"}, headers={"X-CSRF-Token": TOKEN}).status_code == 403


def test_every_change_of_the_console_is_guarded(app, client):
    changes = [
        rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console/") and "POST" in rule.methods
    ]
    assert len(changes) > 20
    for rule in changes:
        path = re.sub(r"<uuid:[a-z_]+>", "01890000-0000-7000-8000-000000000000", rule.rule).replace(
            "<int:order_id>", "1"
        )
        assert client.post(path, json={}).status_code == 403, path


def test_a_problem_is_a_page_to_a_browser_and_stays_a_problem_to_a_script(client):
    path = "/console/products/01890000-0000-7000-8000-000000000000"
    page = client.get(path, headers=HTML)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is no such product." in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    part = client.get(path, headers={**HTML, "HX-Request": "true"})
    assert (part.status_code, part.mimetype) == (404, "application/problem+json")
    assert client.get("/api/v1/nothing", headers=HTML).mimetype == "application/problem+json"


def test_an_address_of_the_console_that_there_is_not_is_a_page_too(client):
    answer = client.get("/console/nothing", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_script_gets_a_part_of_the_page_and_a_step_back_the_whole(client):
    assert "<html" not in client.get("/console/products", headers={"HX-Request": "true"}).text
    back = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in client.get("/console/products", headers=back).text


def test_files_are_compressed_and_kept_for_a_year_under_an_address_of_their_own(client):
    text = client.get("/console/overview", headers=HTML).text
    for address in re.findall(r'(?:src|href)="(/(?:static|console/static)/[^"]+)"', text):
        with client.get(address) as plain, client.get(address, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.data) == plain.data
        with client.get(address, headers={"If-None-Match": packed.headers["ETag"]}) as again:
            assert again.status_code == 304


def test_what_a_user_wrote_is_shown_as_text(client):
    name = "<script>alert(1)</script>"
    made = client.post("/api/v1/products", json={"name": name}).json
    for path in ("/console/products", f"/console/products/{made['id']}"):
        assert name not in client.get(path, headers=HTML).text


def test_with_the_queue_away_the_overview_says_so_and_shows_all_else(app, client, monkeypatch):
    monkeypatch.setitem(app.config, "REDIS_URL", "redis://127.0.0.1:1/0")
    answer = client.get("/console/overview", headers=HTML)
    assert answer.status_code == 200
    assert "The queue does not answer." in answer.text


def test_every_icon_that_is_vendored_is_shown_somewhere():
    folder = Path(catalog.__file__).parent
    icons = {path.stem for path in (folder / "static" / "vendor").glob("icons-*/*.svg")}
    sources = "".join(path.read_text() for path in (folder / "console").rglob("*.*") if path.suffix in (".html", ".py"))
    assert icons
    assert {icon for icon in icons if f'"{icon}"' not in sources} == set()
