"""Who made a thing and what the user has allowed: the home's key, seals of recordings, grants."""
