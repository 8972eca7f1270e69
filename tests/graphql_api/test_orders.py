"""Orders over GraphQL."""

from catalog.orders import service
from tests.factories import make_product

SUBMIT = """mutation($id: ID!, $items: [OrderItemInput!]!, $at: String!) {
  submitOrder(orderId: $id, customer: "ACME Corp", items: $items, submittedAt: $at) {
    order { id status customer total items { sku quantity unitPrice lineTotal product } }
  }
}"""
ITEMS = [{"sku": "P001", "quantity": 3, "unitPrice": 0.1}]
AT = "2026-01-05T10:00:00Z"


def test_an_order_is_submitted_processed_listed_and_read(ask, context):
    lamp = make_product(sku="P001", name="Lamp")
    order = ask(SUBMIT, id="123", items=ITEMS, at=AT)["data"]["submitOrder"]["order"]
    assert (order["id"], order["status"], order["total"]) == ("123", "queued", None)
    assert ask(SUBMIT, id="123", items=ITEMS, at=AT)["data"]["submitOrder"]["order"] == order
    service.process()
    read = ask("{ order(orderId: 123) { status total items { lineTotal product } } }")["data"]["order"]
    assert (read["status"], read["total"], read["items"][0]["lineTotal"]) == ("processed", 0.3, 0.3)
    assert read["items"][0]["product"]["id"] == str(lamp.id)
    page = ask('{ orders(status: "processed") { total hasMore nextCursor items { id } } }')["data"]["orders"]
    assert page == {"total": 1, "hasMore": False, "nextCursor": None, "items": [{"id": "123"}]}


def test_errors_carry_the_codes_of_rest_and_name_the_arguments(ask):
    wrong = ask(SUBMIT, id="x", items=[{**ITEMS[0], "quantity": 0}], at="2026-01-05T10:00:00")["errors"][0][
        "extensions"
    ]
    assert wrong["code"] == "validation_error"
    assert {each["field"] for each in wrong["errors"]} == {"orderId", "items.0.quantity", "submittedAt"}
    ask(SUBMIT, id="1", items=ITEMS, at=AT)
    other = ask(SUBMIT, id="1", items=[{**ITEMS[0], "quantity": 4}], at=AT)["errors"][0]["extensions"]
    assert (other["code"], other["errors"][0]["field"]) == ("conflict", "items.0.quantity")
    for reference in ("7", "x"):
        missing = ask("query($id: ID!) { order(orderId: $id) { id } }", id=reference)
        assert missing["errors"][0]["extensions"]["code"] == "not_found"


def test_a_failed_order_is_retried(ask, context):
    ask(SUBMIT, id="1", items=ITEMS, at=AT)
    service.process()
    retry = 'mutation { retryOrder(orderId: "1") { order { status error } } }'
    assert ask(retry)["data"]["retryOrder"]["order"] == {"status": "queued", "error": None}
