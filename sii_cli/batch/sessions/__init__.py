"""The sessions of a batch: how each is put together, where it runs, its rounds."""
