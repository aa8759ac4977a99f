"""Settings: what there is to set, where values come from, how they are checked."""
