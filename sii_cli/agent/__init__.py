"""The agent: the loop that asks the model, runs its calls, and says what happened."""
