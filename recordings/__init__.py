"""What is kept of a session: events, their log and blobs, and everything that reads them back."""

__distribution__ = "sii-cli"
