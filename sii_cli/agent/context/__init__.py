"""What fits into the model's context: counting, the budget, and making room when it is full."""
