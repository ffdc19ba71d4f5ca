"""hafw: a pluggable failover framework with VRRP semantics."""

__version__ = "0.1.0"

API = 1
"""Of plugins: what they may rely on. Grows when a plugin that worked would no longer work; one that says ``api = 1``,
or ``api = (1, 2)``, is refused by any other, with the numbers in the error."""
