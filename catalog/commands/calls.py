"""What commands share that call services: input through the schemas, refusals without a traceback."""

from typing import Any

import click

from catalog.terminal import visible


def loaded(schema: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return values as the API's schema loads them. Raises UsageError."""
    from marshmallow import ValidationError

    try:
        return schema.load(values)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise click.UsageError(visible(error.messages)) from error


def told(call: Any, *arguments: Any) -> Any:
    """Call a service. Raises ClickException for what it refuses."""
    from catalog.errors import CatalogError

    try:
        return call(*arguments)
    except CatalogError as error:
        raise click.ClickException(visible(error.detail)) from error
