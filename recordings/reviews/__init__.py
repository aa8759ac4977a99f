"""Reviews: who said what about a recording, and what follows."""
