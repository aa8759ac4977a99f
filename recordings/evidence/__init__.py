"""What answers and reports claim, and which observations the claims come from."""
