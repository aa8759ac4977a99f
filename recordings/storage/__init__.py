"""The files of a recording: the log, blobs, and their packed forms."""
