"""Asking GraphQL as a client does."""

import pytest


@pytest.fixture
def ask(client):
    """Return a function that posts an operation and returns the whole body, whatever it holds."""

    def post(query, operation=None, **variables):
        answer = client.post("/graphql", json={"query": query, "variables": variables, "operationName": operation})
        assert answer.status_code == 200, answer.text
        return answer.json

    return post
