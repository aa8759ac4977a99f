"""The web as tools reach it, from the host: search providers and a fetcher of public pages."""
