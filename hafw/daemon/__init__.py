"""The trio shell around a Node: sockets, addresses, plugin processes, control socket."""
