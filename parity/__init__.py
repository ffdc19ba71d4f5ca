"""A pair of routers from keepalived, from hafw and from both, through the same failures: who wins, and what it tells.

``machine``: a router with files, a name and services of its own. ``pair``: what is configured. ``steps``: what happens.
``play``: it happens, and what is seen at every rest is written down. ``compare``: how casts may differ, and why.
``live``: the commands of docs/from-keepalived.md, carried out on a pair in traffic. ``python -m parity`` writes
docs/parity.md.
"""
