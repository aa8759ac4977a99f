"""The index: finding recordings and what was said in them."""
