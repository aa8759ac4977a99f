"""Reads invoices.csv."""

import csv
from pathlib import Path

from ledger.money import with_vat


def read(path: str) -> list[dict]:
    """Return one dict an invoice: number, customer, net (cents), kind (of VAT)."""
    with Path(path).open(newline="") as file:
        return [{**row, "net": int(row["net"])} for row in csv.DictReader(file)]


def gross(rows: list[dict]) -> int:
    """Return the gross total in cents."""
    return sum(with_vat(row["net"], row["kind"]) for row in rows)
