"""Many real Nodes on a simulated LAN, in virtual time."""
