"""The API document is valid, and complete."""

from openapi_spec_validator import validate


def test_the_openapi_document_is_valid_3_1(client):
    document = client.get("/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_route_of_the_api_is_documented_with_a_summary(client, app):
    paths = client.get("/api/openapi.json").json["paths"]
    documented = {(path, method.upper()) for path, item in paths.items() for method in item if method != "parameters"}
    undocumented = {"health", "api-docs", "api_docs", "short_docs"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in undocumented or rule.endpoint.split(".")[-1] == "static":
            continue
        path = "/".join(
            "{" + part.rstrip(">").split(":")[-1] + "}" if part.startswith("<") else part
            for part in rule.rule.split("/")
        )
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert (path, method) in documented
            assert paths[path][method.lower()]["summary"], path


def test_errors_are_documented_as_problems(client):
    document = client.get("/api/openapi.json").json
    answer = document["paths"]["/api/v1/products"]["post"]["responses"]["409"]
    assert "application/problem+json" in answer["content"]
