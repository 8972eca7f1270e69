"""`manage.py demo`: a walk through the running service, with the real requests and answers."""
