"""The index: finding recordings and texts in them."""
