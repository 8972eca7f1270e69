"""Swagger UI and ReDoc as they are served; tests/browser opens them."""

import re

import pytest

PAGES = ["/api/docs", "/api/redoc"]


def policy(answer):
    return dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_from_here_alone(client, path):
    answer = client.get(path)
    assert answer.mimetype == "text/html"
    for address in set(re.findall(r'(?:src|href|data-document)="([^"]+)"', answer.text)) - {"data:,"}:
        with client.get(address) as file:
            assert file.status_code == 200, address


@pytest.mark.parametrize("path", PAGES)
def test_no_script_and_no_style_may_stand_in_the_page(client, path):
    answer = client.get(path)
    assert policy(answer)["default-src"] == "'none'"
    assert policy(answer)["script-src"] == "'self'"
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert "<script>" not in answer.text


def test_each_answer_has_a_nonce_of_its_own(client):
    nonces = [re.search(r'data-nonce="([^"]+)"', client.get("/api/redoc").text)[1] for _ in range(2)]
    assert nonces[0] != nonces[1]
    assert "'nonce-" in policy(client.get("/api/redoc"))["style-src"]


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_short_addresses_redirect(client, page):
    for path in (f"/{page}", f"/{page}/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/api/{page}")
