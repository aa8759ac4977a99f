"""A recording in the terminal with a player's keys: play, step, jump, seek, open what is folded.

`drawn_rows.py` has the rows on the screen at a position, `player.py` the position and the pace,
`app.py` the screen and the keys. None of them ever holds a whole recording.
"""
