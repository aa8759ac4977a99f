"""Files of a recording: the log, blobs, packed forms."""
