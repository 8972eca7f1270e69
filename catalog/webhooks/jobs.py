"""Background work on webhooks."""

import uuid

from flask import current_app

from catalog.jobqueue import in_app_context
from catalog.webhooks import dispatch
from catalog.webhooks import replay as replays


@in_app_context
def replay(replay_id: str) -> None:
    """Queue past events again; safe to run twice, also at the same time."""
    replays.run(uuid.UUID(replay_id))


@in_app_context
def send() -> None:
    """Send what is due until nothing is; the leases keep it out of the way of other senders."""
    dispatch.run(current_app._get_current_object(), until_idle=True)  # type: ignore[attr-defined]
