"""`keys rotate-encryption`: the secrets at rest under a new key."""

from typing import Any

import click

MOST_PASSES = 5


@click.command("rotate-encryption")
def rotate_encryption() -> None:
    """Encrypt every stored secret with the first of ENCRYPTION_KEYS; say when the others are no longer needed."""
    renewed = 0
    for _ in range(MOST_PASSES):  # a process that was not restarted yet may still write with the old key
        tally = reencrypt_all()
        renewed += tally.renewed
        if not tally.renewed:
            break
    click.echo(f"{renewed:,} secrets encrypted anew, {tally.current:,} are encrypted with the first key.")
    for secret in tally.unopened:
        click.echo(f"No key opens {secret}", err=True)
    _say_what_is_needed(bool(tally.renewed), bool(tally.unopened))
    click.get_current_context().exit(1 if tally.unopened or tally.renewed else 0)


def reencrypt_all() -> Any:
    """Encrypt every stored secret with the first key, and return the Tally."""
    from catalog import idempotency
    from catalog.reencryption import Tally
    from catalog.webhooks import service as webhooks

    tally = Tally()
    for reencrypt in (webhooks.reencrypt, idempotency.reencrypt):
        tally.add(reencrypt())
    return tally


def _say_what_is_needed(still_written: bool, unopened: bool) -> None:
    from catalog import encryption

    old = encryption.key_count() - 1
    if still_written:
        click.echo("Something still writes with another key: restart every process with the new list, and try again.")
    elif old and not unopened:
        click.echo("The others of ENCRYPTION_KEYS are needed no more: take them out, and restart the service.")
        click.echo("Keep them as long as you keep backups from before.")
    if unopened:
        click.echo(
            "Put the key that they were encrypted with at the end of ENCRYPTION_KEYS and try again, or set them anew.",
            err=True,
        )
