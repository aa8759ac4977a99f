"""What fits into the model's context: counting, the budget, and compaction."""
