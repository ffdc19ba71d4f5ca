"""What touches the kernel's network: standard library only, shared by the daemon and the guard."""
