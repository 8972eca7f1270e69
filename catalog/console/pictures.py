"""Pictures of products lie on other hosts, which no page asks by itself; who wants to see one allows its host, once."""

import re

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?=[/?#]|\Z)", re.ASCII | re.IGNORECASE)


def origin(address: str | None) -> str | None:
    """Return what a page's policy calls the host of a picture; None where its address names none that it could."""
    found = _ORIGIN.match(address or "")
    return found[0].lower() if found else None


def allowed(address: str | None, wanted: bool) -> dict[str, str]:
    """Return what is added to the policy of a page that shows this picture, if it is wanted."""
    host = origin(address)
    return {"img-src": host} if wanted and host else {}
