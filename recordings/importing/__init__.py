"""Data from elsewhere → recordings, marked as imported, without token ids."""
