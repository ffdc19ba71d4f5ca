"""keepalived.conf to config.toml. Its language is read here; ``hafw import``, which needs that, is not built yet."""
