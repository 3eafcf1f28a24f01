"""The event socket: connect, subscribe, parse, command, resync. DESIGN of it in each module's first lines."""
