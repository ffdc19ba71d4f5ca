"""Twelve incidents, staged on real daemons in network namespaces: what hafw's commands say, and what the cause was."""
