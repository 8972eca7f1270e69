"""No request reaches where it must not: every spelling of a forbidden place, at create, update and send."""

import socket

import pytest

from catalog.webhooks import receivers
from catalog.webhooks.addresses import Policy, Refused
from catalog.webhooks.transfer import Post

CLOSED = Policy.of([], [80, 443, 8080, 8443])

# {port} is where a listener waits on all addresses of this machine, so a request that gets through is seen.
FORBIDDEN = [
    "http://127.0.0.1/", "http://127.0.0.1:{port}/", "http://127.1/", "http://127.0.1/", "http://0/",
    "http://0.0.0.0:{port}/", "http://0x7f.1:{port}/", "http://0x7f000001/", "http://0x7F.0x0.0x0.0x1/",
    "http://2130706433:{port}/", "http://017700000001/", "http://0177.0.0.1:{port}/", "http://127.0.0.1.:{port}/",
    "http://127.255.255.254/", "http://00127.0.0.1/", "http://localhost:{port}/", "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/", "https://localhost/", "http://[::1]:{port}/", "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]/", "http://[::127.0.0.1]/", "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b:1::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::1]/", "http://[fe80::1]/", "http://[fe80::1%25lo]/", "http://[fec0::1]/",
    "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[ff02::1]/", "http://[100::1]/", "http://[2001:db8::1]/",
    "http://[::ffff:169.254.169.254]/", "http://[::ffff:10.0.0.1]/", "http://10.0.0.1/", "http://172.16.0.1/",
    "http://172.31.255.255/", "http://192.168.1.1/", "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/", "http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/",
    "http://0xa9fea9fe/", "http://2852039166/", "http://224.0.0.1/", "http://239.255.255.250/",
    "http://255.255.255.255/", "http://240.0.0.1/", "http://198.18.0.1/", "http://192.0.2.1/", "http://203.0.113.7/",
    "http://192.88.99.1/", "http://\uff11\uff12\uff17.0.0.1/", "http://①②⑦.0.0.1/", "http://127。0。0。1/",
    "http://user:pass@example.com/", "http://user@example.com/", "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/", "http://127.0.0.1:{port}\\@example.com/", "http://example.com:22/",
    "http://example.com:6379/", "http://example.com:0/", "http://example.com:99999/", "http://example.com:/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_X", "dict://127.0.0.1:{port}/",
    "javascript:alert(1)", "http:/127.0.0.1:{port}/", "http:127.0.0.1:{port}", "//127.0.0.1:{port}/", "http://",
    "http://[::1", "http://exa mple.com/", "http://example.com/\r\nHost: evil", "http://-example.com/",
    "http://ex..ample.com/", "http://.example.com/", "http://%31%32%37.0.0.1/",
]  # fmt: skip


@pytest.fixture
def trap():
    """A listener on every address of this machine; `hits()` counts who came."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener.setblocking(False)

    class Trap:
        port = listener.getsockname()[1]

        def hits(self):
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                return 0
            return 1

    with listener:
        yield Trap()


@pytest.fixture
def closed(client, app, monkeypatch):
    """A client of the service as in production: no network is opened."""
    monkeypatch.setitem(app.config, "WEBHOOK_ALLOWED_NETWORKS", ())
    return client


def test_the_table_is_long_enough_to_mean_something():
    assert len(set(FORBIDDEN)) >= 60


@pytest.mark.parametrize("form", FORBIDDEN)
def test_a_forbidden_url_is_refused_at_create_update_and_send_without_a_connection(closed, trap, form, make_sender):
    url = form.replace("{port}", str(trap.port))
    created = closed.post("/api/v1/webhooks", json={"url": url, "events": ["*"]})
    assert (created.status_code, created.json["errors"][0]["field"]) == (400, "url")
    fine = closed.post("/api/v1/webhooks", json={"url": "https://8.8.8.8/", "events": ["*"]})
    updated = closed.put(f"/api/v1/webhooks/{fine.json['id']}", json={"url": url})
    assert (updated.status_code, updated.json["errors"][0]["field"]) == (400, "url")
    result = make_sender(CLOSED).send(Post(None, url, {}, b"{}", 2))
    assert result.status_code is None
    assert result.error.startswith(("Refused:", "The host"))  # or there is no such name here
    assert trap.hits() == 0


def test_the_trap_is_one_that_an_open_sender_falls_into(trap, make_sender):
    make_sender(Policy.of(["127.0.0.0/8"], [80])).send(Post(None, f"http://127.0.0.1:{trap.port}/", {}, b"{}", 0.3))
    assert trap.hits() == 1


@pytest.mark.parametrize("forbidden", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_a_name_that_changes_its_address_after_the_check_reaches_nothing(
    closed, trap, monkeypatch, forbidden, make_sender
):
    answers = iter([("93.184.215.14",), (forbidden,)])
    monkeypatch.setattr("catalog.webhooks.service._names._lookup", lambda _: next(answers))
    monkeypatch.setattr("catalog.webhooks.service._names._answers", {})
    created = closed.post("/api/v1/webhooks", json={"url": "http://rebind.example:8080/", "events": ["*"]})
    assert created.status_code == 201
    sender = make_sender(Policy.of([], [8080, trap.port]), lookup=lambda _: next(answers))
    result = sender.send(Post(None, f"http://rebind.example:{trap.port}/", {}, b"{}", 2))
    assert result.error.startswith("Refused:")
    assert trap.hits() == 0


def test_a_name_with_one_forbidden_address_among_others_is_refused_at_create(closed, monkeypatch):
    monkeypatch.setattr("catalog.webhooks.service._names._lookup", lambda _: ("93.184.215.14", "10.0.0.1"))
    monkeypatch.setattr("catalog.webhooks.service._names._answers", {})
    created = closed.post("/api/v1/webhooks", json={"url": "https://mixed.example/", "events": ["*"]})
    assert "10.0.0.1 is not a public address" in created.json["errors"][0]["message"]


def test_an_opened_network_is_open_on_any_port_and_the_world_only_on_the_usual_ones():
    policy = Policy.of(["10.1.0.0/16"], [443])
    policy.judge("10.1.2.3", 9999)
    policy.judge("::ffff:10.1.2.3", 9999)
    policy.judge("8.8.8.8", 443)
    for address, port in (("10.2.0.1", 443), ("8.8.8.8", 80), ("8.8.8.8", 9999)):
        with pytest.raises(Refused):
            policy.judge(address, port)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"])
def test_metadata_services_are_never_open(address):
    with pytest.raises(Refused, match="never called"):
        Policy.of(["0.0.0.0/0", "::/0"], [80]).judge(address, 80)


def test_loopback_is_open_in_development_and_closed_in_production(app, monkeypatch):
    with app.app_context():
        receivers.open_addresses().judge("127.0.0.1", 5555)
        monkeypatch.setenv("CATALOG_ENV", "production")
        monkeypatch.setenv("ENCRYPTION_KEYS", "A" * 43 + "=")
        monkeypatch.setenv("SECRET_KEY", "x" * 32)
        from catalog import config

        assert config.load()["WEBHOOK_ALLOWED_NETWORKS"] == ()


def test_a_proxy_from_the_environment_is_not_used(trap, receiver, monkeypatch, make_sender):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    result = make_sender(Policy.of(["127.0.0.0/8"], [80])).send(Post(None, receiver.url, {}, b"{}", 2))
    assert (result.status_code, trap.hits()) == (200, 0)
