"""Functions that turn a value into another, known by name: `@register()` is all that a new one needs.

from catalog.transforms import register

@register()
def double(number: Decimal) -> Decimal:
    '''Return twice the number.'''
    return number * 2
"""

from catalog.transforms.registry import register

__all__ = ["register"]
