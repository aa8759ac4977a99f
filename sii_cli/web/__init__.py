"""What sii serves to a browser on this machine."""
