"""Packet filters as values, whichever tool has made them, and what they do with one packet."""
