"""The protocol: packets, authentication, and one virtual router. Pure: no clock, socket, thread, log or async."""
