"""What the shop window takes and gives: a product's five most needed fields, by the rules of products."""

import marshmallow as ma
from marshmallow import fields

from catalog.fields import Integer, Number, Text
from catalog.products.schemas import NAME, count_rules, name_rules, price_rules

_PRICE = {"example": 39.9}
_STOCK = {"example": 12}


class ShopProductChangeSchema(ma.Schema):
    """The fields to change; what is not given stays as it is. An `id` may come along if it is the address's."""

    id = fields.UUID()
    name = Text(validate=name_rules(), metadata=NAME)
    description = Text(allow_none=True, metadata={"example": "Warm white, dimmable"})
    price = Number(allow_none=True, validate=price_rules(), metadata=_PRICE)
    stock_quantity = Integer(validate=count_rules(), metadata=_STOCK)


class ShopProductCreateSchema(ShopProductChangeSchema):
    """A new product; its id and its SKU are made up."""

    class Meta:
        exclude = ("id",)

    name = Text(required=True, validate=name_rules(), metadata=NAME)
    price = Number(required=True, validate=price_rules(), metadata=_PRICE)
    stock_quantity = Integer(required=True, validate=count_rules(), metadata=_STOCK)


class ShopProductSchema(ShopProductChangeSchema):
    """A product as it is answered; `price` is null where the catalog knows none."""

    id = fields.UUID(required=True)
