"""What an instance may depend on beside its service: links, files and processes. keepalived's ``track_*``."""
