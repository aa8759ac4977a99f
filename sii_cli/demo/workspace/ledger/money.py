"""Money is counted in whole cents, so that nothing gets lost in rounding."""

VAT_PERCENT = {"standard": 19, "reduced": 7}


def split(total: int, parts: int) -> list[int]:
    """Split cents into parts that differ by one cent at most."""
    share = total // parts
    return [share] * parts


def with_vat(net: int, kind: str = "standard") -> int:
    """Return the gross amount in cents, rounded to the nearest cent."""
    return net + (net * VAT_PERCENT[kind] + 50) // 100
