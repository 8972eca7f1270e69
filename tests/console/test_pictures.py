"""Whose host a page may ask for a picture: the picture's alone, and only when somebody wants it."""

import pytest

from catalog.console import pictures
from tests.factories import make_product

HTML = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://img.example.com/lamp.jpg", "https://img.example.com"),
        ("HTTP://IMG.example.com:8080?x=1", "http://img.example.com:8080"),
        ("http://[2001:db8::1]/a", "http://[2001:db8::1]"),
        ("https://img.example.com", "https://img.example.com"),
        ("https://user:pass@img.example.com/a", None),
        ("https://a.example;script-src/x", None),
        ("https://a.example,b/x", None),
        ("https://*/x", None),
        ("https://a.example'/x", None),
        ("javascript:alert(1)", None),
        ("", None),
        (None, None),
    ],
)
def test_the_policy_names_a_plain_host_or_none(address, origin):
    assert pictures.origin(address) == origin


def test_a_page_shows_the_picture_only_when_asked_and_then_may_ask_that_host_alone(client, app):
    with app.app_context():
        product_id = make_product(image="https://img.example.com/lamp.jpg").id
    plain = client.get(f"/console/products/{product_id}", headers=HTML)
    assert "<img" not in plain.text
    assert "img.example.com" not in plain.headers["Content-Security-Policy"]
    shown = client.get(f"/console/products/{product_id}?picture=yes", headers=HTML)
    assert '<img class="picture" src="https://img.example.com/lamp.jpg"' in shown.text
    assert "img-src 'self' data: https://img.example.com;" in shown.headers["Content-Security-Policy"]


def test_a_product_without_a_picture_has_none_to_show(client, app):
    with app.app_context():
        product_id = make_product().id
    assert "<img" not in client.get(f"/console/products/{product_id}?picture=yes", headers=HTML).text
