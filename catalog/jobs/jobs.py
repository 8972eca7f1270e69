"""The test job."""

from typing import Any

from catalog.jobqueue import in_app_context
from catalog.jobs import trial


@in_app_context
def test(seconds: int, fail: bool) -> dict[str, Any]:
    """Do nothing for so many seconds, with progress; harmless to run twice, also at the same time."""
    return trial.run(seconds, fail)
