"""All recordings of a home, found by id."""
