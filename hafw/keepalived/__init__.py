"""keepalived.conf to config.toml, for ``hafw import``: ``importing.convert`` is all that others call."""
