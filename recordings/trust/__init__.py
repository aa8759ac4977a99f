"""Trust: the home key, seals of recordings, keys of people, and grants of the user."""
