"""Importing foreign data as recordings, marked as imported, without token ids."""
