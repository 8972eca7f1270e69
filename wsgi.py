"""The WSGI entry point: `gunicorn wsgi:app`."""

from catalog.app import create_app

app = create_app()
