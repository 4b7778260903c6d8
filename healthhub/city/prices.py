"""What things cost in the city, and the codes that the insurance office knows medicines by."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from healthhub.city.catalogue import Drug
from healthhub.city.dice import Dice


@lru_cache(maxsize=1024)
def priced(key: str, low: int, high: int) -> Decimal:
    """The price of a thing in yuan, the same for everybody."""
    fen = Dice("price", key).whole(low * 100, high * 100)
    return Decimal(fen // 10 * 10) / 100


def item_code(drug: Drug) -> str:
    """The national item code of a medicine: in the bureau's form, invented."""
    number = Dice("item", drug.key).whole(10**12, 10**13 - 1)
    return f"XA{drug.code_b[2:]}A{number}"
