"""keepalived.conf to config.toml. Nothing is built here yet: ``hafw import`` says so."""
