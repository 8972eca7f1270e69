"""django-import-export in its bulk mode.

django_import.py SOCKETS TABLE FILE ROWS   loads the first ROWS rows; prints {"seconds": s, "rows": n}
"""

import csv
import json
import sys
import time
from itertools import islice
from typing import Any

import django
from django.conf import settings

BATCH = 1000


def main(sockets: str, name: str, file: str, rows: str) -> None:
    """Load the rows into the table and print how long that took."""
    configure(sockets)
    import tablib

    resource = make_resource(name)
    began = time.monotonic()
    with open(file, encoding="utf-8", newline="") as source:  # noqa: PTH123
        reader = csv.reader(source)
        data = tablib.Dataset(headers=next(reader))
        data.extend(islice(reader, int(rows)))
    result = resource.import_data(data, use_transactions=True, raise_errors=True)
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "rows": result.totals["new"] + result.totals["update"]}))


def configure(sockets: str) -> None:
    """Set Django up for the one database."""
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "catalog", "USER": "postgres", "HOST": sockets}
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["import_export"], USE_TZ=True)
    django.setup()


def make_resource(name: str) -> Any:
    """Return a resource with a model over the table; what is not imported is left to the database's defaults."""
    from django.db import models
    from import_export import resources

    class UuidV7(models.Func):
        function = "uuidv7"
        output_field = models.UUIDField()

    class Product(models.Model):
        id = models.UUIDField(primary_key=True, db_default=UuidV7())
        sku = models.CharField(max_length=100)
        name = models.CharField(max_length=255)
        description = models.TextField(null=True)
        active = models.BooleanField(default=True)
        price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
        stock_quantity = models.IntegerField(default=0)
        category = models.CharField(max_length=100, null=True)
        image = models.CharField(max_length=500, null=True)
        rating_rate = models.DecimalField(max_digits=3, decimal_places=2, null=True)
        rating_count = models.IntegerField(null=True)

        class Meta:
            app_label = "bench"
            db_table = name
            managed = False

    class Products(resources.ModelResource):
        class Meta:
            model = Product
            exclude = ("id",)
            import_id_fields = ("sku",)
            use_bulk = True
            batch_size = BATCH
            skip_diff = True
            report_skipped = False

    return Products()


if __name__ == "__main__":
    main(*sys.argv[1:])
