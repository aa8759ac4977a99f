"""A tiny model of GLM's architecture that really runs under vLLM on the CPU, for tests."""
