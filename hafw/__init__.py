"""hafw: a pluggable failover framework with VRRP semantics."""

__version__ = "0.1.0"
