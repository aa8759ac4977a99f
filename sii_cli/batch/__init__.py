"""Batch: many sessions from query files, unattended; the recordings are its only ledger."""
