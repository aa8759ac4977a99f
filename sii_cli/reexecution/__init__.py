"""Re-execution: every call of a recording run again, every observation compared with the recorded.

`recorded.py` reads what was run, `engine.py` runs it again, `compare.py` says what differs after
which of the `rules.toml`, `report.py` says how it went.
"""
