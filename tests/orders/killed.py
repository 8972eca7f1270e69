"""Process or consume orders in a process that kills itself: python -m tests.orders.killed WHAT WHERE NTH.

WHAT is `process` or `consume`; WHERE is a dotted name below catalog.orders; the process ends by SIGKILL instead of its
NTH call.
"""

import sys

from catalog.app import create_app
from catalog.orders import consumer, processing, service
from tests.killing import kill_at

if __name__ == "__main__":
    what, where, nth = sys.argv[1:]
    processing.BATCH = consumer.BATCH = 7
    kill_at("orders", where, int(nth))
    app = create_app()
    if what == "consume":
        consumer.run(app)
    with app.app_context():
        service.process()
