"""Reviews of recordings, and the approvals that follow from them."""
