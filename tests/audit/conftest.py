"""Reading the audit, as rows and over REST."""

import pytest
from sqlalchemy import text

from catalog.extensions import db


@pytest.fixture
def written(context):
    """Return a function that reads the entries, the oldest first, as (action, entity, entity_id, before, after)."""

    def read(entity=None):
        statement = "SELECT action, entity, entity_id, before, after FROM audit_entries ORDER BY id"
        found = [tuple(row) for row in db.session.execute(text(statement))]
        return [row for row in found if entity in (None, row[1])]

    return read


@pytest.fixture
def entries(client):
    """Return a function that lists entries over REST."""

    def page(path="/api/v1/audit", **query):
        answer = client.get(path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json["items"]

    return page
