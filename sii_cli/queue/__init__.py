"""Who works on which item: leases, the order of items, and drafts."""
