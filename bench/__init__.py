"""hafw beside keepalived, in one run: ``python -m bench``."""
