"""`flask webhooks …`, and the receiver that newcomers try things out with."""

import threading
import time

import pytest

from catalog.commands.webhooks import webhooks
from catalog.webhooks import service
from catalog.webhooks.receiver import Behaviour, server
from catalog.webhooks.transfer import Post
from tests.webhooks.receivers import Receiver


@pytest.fixture
def command(context):
    runner = context.test_cli_runner()
    return lambda *arguments: runner.invoke(webhooks, list(map(str, arguments)))


@pytest.fixture
def hook(context, receiver):
    return service.create({"url": receiver.url, "events": ["*"]}).id


def test_list_shows_the_webhooks(command, hook, receiver):
    listed = command("list")
    assert listed.exit_code == 0
    assert str(receiver.port) in listed.output


def test_a_test_is_sent_and_then_seen_by_tail(command, hook, receiver):
    tested = command("test", hook, "--payload", '{"id": "7"}')
    assert (tested.exit_code, tested.output.startswith("200 in ")) == (0, True)
    assert receiver.requests[0].body.endswith(b'"data":{"id":"7"}}')
    assert "product.created try 1: delivered" in command("tail", hook).output


def test_a_test_that_fails_exits_with_1_and_a_wrong_one_says_why(command, hook):
    with Receiver(lambda connection, _: connection.close()) as rude:
        service.update(hook, {"url": rude.url})
        assert command("test", hook).exit_code == 1
    assert "no JSON" in command("test", hook, "--payload", "{").output
    assert "Unknown event" in command("test", hook, "--event", "x").output
    assert "no such webhook" in command("test", "00000000-0000-7000-8000-000000000000").output


def test_replay_is_submitted(command, hook):
    assert "submitted" in command("replay", hook, "--since", "2026-01-01", "--status", "failed").output


@pytest.fixture
def shown(make_sender):
    """Run the receiver, send it a signed event so often, and return the results and what it showed."""

    def run(times=1, timeout=2, key="hush", **behaviour):
        reports = []
        with server(0, Behaviour(**behaviour), reports.append) as running:
            running.daemon_threads = True
            threading.Thread(target=running.serve_forever, daemon=True).start()
            body = b'{"data":{"n":1}}'
            headers = service.signing.headers([key], "msg", int(time.time()), body)
            post = Post(None, f"http://127.0.0.1:{running.server_port}/", headers, body, timeout)
            results = [make_sender().send(post) for _ in range(times)]
            running.shutdown()
        return results, reports

    return run


def test_the_receiver_verifies(shown):
    (result,), (report,) = shown(secret="hush")
    assert (result.status_code, report["problem"], report["data"]) == (200, None, {"n": 1})
    assert shown(secret="other")[1][0]["problem"] == "No signature matches."


def test_the_receiver_flaps_and_answers_as_told(shown):
    assert [result.status_code for result in shown(times=3, flap=2)[0]] == [503, 503, 200]
    assert shown(status=410)[0][0].status_code == 410


@pytest.mark.parametrize("behaviour", [{"drip": True}, {"delay": 30}])
def test_the_receiver_drips_and_delays_until_the_sender_has_had_enough(shown, behaviour):
    (result,), _ = shown(timeout=0.7, **behaviour)
    assert result.error == "Timed out after 0.7 s"
