"""The plugin process: loads one plugin with pluggy, takes away its rights, answers calls over a socket."""
