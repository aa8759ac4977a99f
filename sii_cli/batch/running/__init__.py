"""A batch that runs: the runner, when a session may start, what is shown meanwhile."""
