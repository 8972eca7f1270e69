"""The yardstick: a bare loop over libcurl's multi interface that posts the same bytes, with no database at all."""

import sys
import time

import pycurl

HEADERS = [
    "Content-Type: application/json",
    "User-Agent: Catalog-Webhook/1.0",
    "X-Webhook-Event: product.updated",
    "X-Webhook-Signature: sha256=" + 64 * "0",
    "webhook-id: 01a1fbf4-fef7-7326-bd0e-f1d5889d2805",
    "webhook-timestamp: 1795228499",
    "webhook-signature: v1," + 44 * "0",
    "Expect:",
]


def post(urls: list[str], body: bytes, requests: int, at_once: int) -> float:
    """Post the body so often, over so many handles, and return the seconds."""
    multi = pycurl.CurlMulti()
    handles = [_handle(urls[number % len(urls)], body) for number in range(at_once)]
    began, started, done = time.monotonic(), 0, 0
    for handle in handles[:requests]:
        multi.add_handle(handle)
        started += 1
    while done < requests:
        multi.perform()
        _, finished, failed = multi.info_read()
        if failed:
            raise SystemExit(f"A request failed: {failed[0]}")
        for handle in finished:
            multi.remove_handle(handle)
            done += 1
            if started < requests:
                multi.add_handle(handle)
                started += 1
        if not finished:
            multi.select(1.0)
    return time.monotonic() - began


def _handle(url: str, body: bytes) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.HTTPHEADER, HEADERS)
    curl.setopt(pycurl.POSTFIELDS, body)
    curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    return curl


if __name__ == "__main__":
    print(post(sys.argv[4:], b"x" * int(sys.argv[3]), int(sys.argv[1]), int(sys.argv[2])))
