"""The service on a disk without room: what is uploaded meets ENOSPC, as `/dev/full` gives it."""

import io
import os

from catalog.imports import storage


class Full(io.FileIO):
    """A file of the upload folder whose writes go to /dev/full."""

    def __init__(self, path: str = "/dev/full"):
        super().__init__(path, "w")

    def write(self, data: object) -> int:
        with io.FileIO("/dev/full", "w") as full:
            return full.write(data)


if "gunicorn" in os.environ.get("SERVER_SOFTWARE", ""):  # not where a test only wants the file
    _new_part = storage.new_part
    storage.new_part = lambda: Full(_new_part().name)
    from wsgi import app  # noqa: F401
