"""Binds every configured virtual address on becoming MASTER.

Small on purpose: what is bound is a plugin's decision, so a site that binds otherwise replaces this one.
"""

from __future__ import annotations

from hafw.api import Address, Router, hookimpl


class Vip:
    """One answer, computed before it is needed."""

    @hookimpl
    def takeover(self, router: Router) -> list[Address]:
        """Every configured address, excluded ones too: they differ only in not being advertised."""
        return list(router.addresses)


plugin = Vip()
