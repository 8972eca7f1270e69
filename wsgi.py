"""The WSGI entry point: `gunicorn wsgi:app`."""

from catalog import proxies
from catalog.app import create_app
from catalog.orders import hotintake

app = create_app()
hotintake.register(app)
proxies.register(app)
