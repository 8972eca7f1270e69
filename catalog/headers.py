"""What every answer tells browsers: never to guess its type, frame it, or say where they came from."""

from flask import Flask, Response, request

Headers = list[tuple[str, str]]

PLAIN: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),  # a page has one of its own
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
OF_PAGES: Headers = [  # what means nothing for data
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
HTTPS_ALONE = ("Strict-Transport-Security", "max-age=31536000")


class Always:
    """The headers of all answers of one application: where its users are told that it has HTTPS alone, that too."""

    def __init__(self, app: Flask):
        self._secure = [*PLAIN, HTTPS_ALONE] if app.config["CATALOG_ENV"] == "production" else PLAIN

    def over(self, scheme: str) -> Headers:
        """Return them for a request that came by `http` or `https`."""
        return self._secure if scheme == "https" else PLAIN

    def add(self, response: Response) -> Response:
        """Set those that the answer has not set itself."""
        for name, value in self.over(request.scheme):
            response.headers.setdefault(name, value)
        return response


def register(app: Flask) -> None:
    """Set the headers on what Flask answers; what is answered before it takes them from `of()`."""
    app.extensions["catalog-headers"] = Always(app)
    app.after_request(of(app).add)


def of(app: Flask) -> Always:
    """Return the headers of an application."""
    return app.extensions["catalog-headers"]  # type: ignore[no-any-return]
