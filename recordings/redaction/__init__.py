"""Redaction: finding secrets, and removing them while recording or afterwards."""
