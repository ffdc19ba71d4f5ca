"""Routers, a switch and clients in namespaces of one machine, and the ruler that measures outages."""
