"""`flask keys …`, and `manage.py keys …`, which is the same on this project's own servers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from catalog.access import SCOPES
from catalog.commands.calls import loaded, told
from catalog.commands.encryption import rotate_encryption
from catalog.terminal import print_table

KEY_ID = click.argument("key_id", metavar="ID")
_UNITS = {"h": "hours", "d": "days"}


class Ending(click.ParamType[str]):
    """A time that is given as such, or as so long from now: `90d`, `12h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        """Return it as the schema reads it; a UsageError for anything else."""
        span = re.fullmatch(r"(\d{1,5})([hd])", value)
        if span:
            return (datetime.now(UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])})).isoformat()
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail("must be a time, e.g. 2027-01-31, or a span, e.g. 90d or 12h.", param, context)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


@click.group("keys")
def keys() -> None:
    """Manage API keys: create, list, revoke, rotate; and re-encrypt stored secrets: rotate-encryption."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="May be repeated.")
@click.option("--network", "networks", multiple=True, help="Where it may come from, e.g. 10.1.0.0/16; repeatable.")
@click.option("--expires", "expires_at", type=Ending(), help="When it ends: 2027-01-31, or 90d from now, or 12h.")
def create(name: str, scopes: tuple[str, ...], networks: tuple[str, ...], expires_at: str | None) -> None:
    """Make a key called NAME and print it, this once."""
    from catalog.auth import schemas, service

    fields = {"name": name, "scopes": list(scopes), "networks": list(networks), "expires_at": expires_at}
    key, text = service.create(loaded(schemas.KeyCreateSchema(), fields))
    _show_once(f"Key {key.id}. It is shown this once:", text)


@keys.command("list")
def list_keys() -> None:
    """List the keys, the newest first."""
    from catalog.auth import service

    rows = []
    for key in service.page({"limit": 1_000, "offset": 0})["items"]:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        rows.append((key.id, key.name, " ".join(key.scopes), " ".join(key.networks), used, _state(key)))
    print_table(("id", "name", "scopes", "networks", "last used", "state"), rows)


@keys.command("revoke")
@KEY_ID
def revoke(key_id: str) -> None:
    """End the key ID for good, in every process within 5 seconds."""
    from catalog.auth import service

    told(service.revoke, key_id)
    click.echo(f"Key {key_id} is revoked.")


@keys.command("rotate")
@KEY_ID
@click.option("--keep", default=24, show_default=True, type=click.IntRange(0, 720), help="Hours of the old secret.")
def rotate(key_id: str, keep: int) -> None:
    """Give the key ID a new secret and print it, this once; the old one works for some hours more."""
    from catalog.auth import service

    key, text = told(service.rotate, key_id, keep)
    until = f"{key.previous_valid_until:%Y-%m-%d %H:%M} UTC"
    _show_once(f"Key {key.id} has a new secret. The old one works until {until}. It is shown this once:", text)


def _show_once(about: str, text: str) -> None:
    """Print the key alone to standard output, so that programs can read it."""
    click.echo(about, err=True)
    click.echo(text)


def _state(key: Any) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "valid"
    return f"{'valid until' if key.expires_at > datetime.now(UTC) else 'expired'} {key.expires_at:%Y-%m-%d}"


keys.add_command(rotate_encryption)


@click.command("keys", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verb(arguments: tuple[str, ...]) -> None:
    """Manage API keys: `keys create NAME --scope …`, `list`, `revoke`, `rotate`, and `rotate-encryption`."""
    from catalog.commands.data import run_flask

    raise SystemExit(run_flask(["keys", *arguments]))
