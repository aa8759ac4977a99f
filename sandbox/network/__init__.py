"""The one way out of a sandbox: a proxy on the host that lets through to allowed hosts alone."""
