"""The model layer: vLLM's streaming chat completions, made exact and dependable."""
