"""The ids wire: a prompt that is kept as token ids, and responses read from their ids."""
