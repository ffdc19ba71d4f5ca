"""Captured frames to decoded adverts, judged by a configuration; pure: octets go in, values come out."""
