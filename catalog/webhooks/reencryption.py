"""Every secret of the webhooks under the first key."""

from sqlalchemy import func, update

from catalog.database import transaction
from catalog.reencryption import Tally, each_row
from catalog.webhooks import secret_headers
from catalog.webhooks.models import Webhook


def run() -> Tally:
    """Encrypt with the first key what another one encrypts; what no key opens is left as it is, and named."""
    _drop_expired()
    tally = Tally()
    each_row(Webhook, lambda webhook: _renew(webhook, tally))
    return tally


def _drop_expired() -> None:
    """Delete previous secrets that no longer sign."""
    with transaction() as session:
        session.execute(
            update(Webhook)
            .where(Webhook.previous_secret_until < func.now())
            .values(previous_secret=None, previous_secret_until=None)
            .execution_options(synchronize_session=False)
        )


def _renew(webhook: Webhook, tally: Tally) -> None:
    """Also encrypts headers that a version before this one kept in the clear."""
    for name in ("secret", "previous_secret"):
        stored = getattr(webhook, name)
        if stored is not None:
            setattr(webhook, name, tally.renew(stored, f"webhook {webhook.id}: {name}"))
    clear, found = secret_headers.sealed(webhook.headers, {})
    tally.renewed += len(found)
    kept = {
        name: tally.renew(value.encode(), f"webhook {webhook.id}: header {name}").decode()
        for name, value in webhook.secret_headers.items()
    }
    webhook.headers, webhook.secret_headers = clear, {**found, **kept}
