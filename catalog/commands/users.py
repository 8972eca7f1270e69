"""`flask users …`, and `manage.py users …`, which is the same on this project's own servers."""

import sys
from typing import Any

import click

from catalog.access import SCOPES
from catalog.commands.calls import loaded, told
from catalog.terminal import print_table, visible

NAME = click.argument("name")
SCOPE = click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="May be repeated."
)


@click.group("users")
def users() -> None:
    """Users of the console: create, list, scopes, password, disable, enable; and sessions, sign-out."""


@users.command("create")
@NAME
@SCOPE
def create(name: str, scopes: tuple[str, ...]) -> None:
    """Add a user called NAME; the password is asked for, or is the first line of standard input."""
    from catalog.users import schemas, service

    fields = {"name": name, "scopes": list(scopes), "password": _new_password()}
    user = told(service.create, loaded(schemas.UserCreateSchema(), fields))
    click.echo(f"User {visible(user.name)} can sign in at /console.")


@users.command("list")
def list_users() -> None:
    """List the users by name."""
    from catalog.users import service

    found = service.page({"limit": 1_000, "offset": 0})["items"]
    rows = [(each.name, " ".join(each.scopes), _time(each.last_sign_in_at), _state(each)) for each in found]
    print_table(("name", "scopes", "last sign-in", "state"), rows)


@users.command("scopes")
@NAME
@SCOPE
def change_scopes(name: str, scopes: tuple[str, ...]) -> None:
    """Give the user NAME these scopes in place of the present ones."""
    from catalog.users import service

    told(service.update, _id(name), {"scopes": list(scopes)})
    click.echo(f"User {visible(name)} now has: {' '.join(scopes)}.")


@users.command("password")
@NAME
def set_password(name: str) -> None:
    """Give the user NAME another password, asked for as by `create`, and end all sessions."""
    from catalog.users import schemas, service

    user_id = _id(name)
    given = loaded(schemas.NewPasswordSchema(), {"password": _new_password()})
    told(service.set_password, user_id, given["password"])
    click.echo(f"User {visible(name)} has a new password, and no session any more.")


@users.command("disable")
@NAME
def disable(name: str) -> None:
    """Keep the user NAME out, and end all sessions."""
    from catalog.users import service

    told(service.update, _id(name), {"disabled": True})
    click.echo(f"User {visible(name)} is disabled, and has no session any more.")


@users.command("enable")
@NAME
def enable(name: str) -> None:
    """Let a disabled user sign in again."""
    from catalog.users import service

    told(service.update, _id(name), {"disabled": False})
    click.echo(f"User {visible(name)} can sign in again.")


@users.command("sessions")
def list_sessions() -> None:
    """List who is signed in at the console, by a password or a key."""
    from catalog.sessions import service

    found = service.page({"limit": 1_000, "offset": 0})["items"]
    rows = [(str(one.id), one.name, one.caller_id, one.address or "", _time(one.last_seen_at)) for one in found]
    print_table(("session", "name", "who", "address", "last seen"), rows)


@users.command("sign-out")
@click.argument("name_or_session", metavar="NAME|SESSION")
def sign_out(name_or_session: str) -> None:
    """End all sessions of the user NAME, or one session by its id."""
    import uuid

    from catalog.sessions import service as sessions
    from catalog.users import service

    try:
        session_id = uuid.UUID(name_or_session)
    except ValueError:
        told(service.end_sessions, _id(name_or_session))
    else:
        told(sessions.end, session_id)
    click.echo(f"{visible(name_or_session)} is signed out.")


def _new_password() -> str:
    """Ask for a password twice, or read it from what is piped in; never from an argument, which others can see."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _id(name: str) -> Any:
    from catalog.users import service

    return told(service.named, name).id


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _state(user: Any) -> str:
    return f"disabled {user.disabled_at:%Y-%m-%d}" if user.disabled_at else "active"


@click.command("users", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verb(arguments: tuple[str, ...]) -> None:
    """Users of the console: `users create NAME --scope …`, `list`, `scopes`, `password`, `disable`, `sessions` …"""
    from catalog.commands.data import run_flask

    raise SystemExit(run_flask(["users", *arguments]))
