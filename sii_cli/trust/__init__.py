"""What the commands ask of the trust model: the home's key, whose a recording is, what it names."""
