"""One session without a screen."""
