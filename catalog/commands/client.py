"""The import endpoints as a client sees them."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import requests

from catalog.stack.errors import StackError

TIMEOUT_SECONDS = (5, 120)


class Service:
    """A running service at `url`; every call raises StackError with what the service said when it refuses."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy has no business between us and this machine
        self.session.headers.update(own_key())

    def upload(self, file: Path, options: dict[str, str], sent: Callable[[int], None]) -> str:
        """Upload the file, streamed; `sent` is told the bytes so far. Return the import's id."""
        with file.open("rb") as content:
            body = Multipart(content, file.name, options, sent)
            headers = {"Content-Type": body.content_type}
            answer = self._call("POST", "/api/v1/products/upload", data=body, headers=headers)
        return str(answer["task_id"])

    def status(self, task: str) -> dict[str, Any]:
        """Return `{state, progress_percent, current, total, created, updated, errors, message, error}`."""
        return self._call("GET", f"/api/v1/products/upload/{task}/status")

    def details(self, task: str) -> dict[str, Any]:
        """Return everything that is known of the import."""
        return self._call("GET", f"/api/v1/imports/{task}")

    def rejected(self, task: str) -> list[dict[str, Any]]:
        """Return the first rejected rows: `[{row, error, data}]`."""
        result = self._call("GET", f"/api/v1/products/import/{task}/result").get("result") or {}
        return list(result.get("error_details") or [])

    def export(self, query: dict[str, str], sink: IO[bytes]) -> int:
        """Write the export that these filters ask for to `sink`; return its bytes."""
        size = 0
        with self._sent("GET", "/api/v1/products/export", params=query, stream=True) as answer:
            try:
                for piece in answer.iter_content(1 << 18):
                    size += sink.write(piece)
            except requests.RequestException as error:
                raise StackError(f"The export broke off after {size:,} bytes: {error}") from error
        return size

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return dict(self._sent(method, path, **options).json())

    def _sent(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            answer = self.session.request(method, self.url + path, timeout=TIMEOUT_SECONDS, **options)
        except requests.ConnectionError as error:
            raise StackError(
                f"The service does not answer at {self.url}. `python3 manage.py start` starts it.\n({error})"
            ) from error
        except requests.RequestException as error:
            raise StackError(f"{method} {self.url}{path} failed: {error}") from error
        if not answer.ok:
            raise StackError(f"The service refused ({answer.status_code}): {_reason(answer)}")
        return answer


def own_key() -> dict[str, str]:
    """Return the header with the key of this command, where one is set."""
    key = os.environ.get("CATALOG_API_KEY", "").strip()
    return {"X-API-Key": key} if key else {}


class Multipart:
    """A form with one file, read piece by piece: `requests` alone would read all of it into memory."""

    def __init__(self, file: IO[bytes], name: str, fields: dict[str, str], sent: Callable[[int], None]) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self.file = file
        self.sent = sent
        self.head = "".join(parts).encode()
        self.tail = f"\r\n--{boundary}--\r\n".encode()
        self.length = len(self.head) + file.seek(0, 2) + len(self.tail)
        file.seek(0)

    def __len__(self) -> int:
        """Return the bytes of the whole form."""
        return self.length

    def read(self, size: int = -1) -> bytes:
        """Return the next piece: the head, then the file's content, then the tail, then nothing."""
        piece, self.head = self.head, b""
        if not piece:
            piece = self.file.read(max(size, 65_536))
            self.sent(self.file.tell())
        if not piece:
            piece, self.tail = self.tail, b""
        return piece


def _quoted(name: str) -> str:
    """Escape what would end the header, as browsers do."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _reason(answer: requests.Response) -> str:
    try:
        problem = answer.json()
        fields = [f"{one['field']}: {one['message']}" for one in problem.get("errors", [])]
        return "; ".join([problem.get("detail") or problem.get("title") or "", *fields])
    except (ValueError, AttributeError, KeyError):
        return answer.text[:300]
