"""The event socket: connect, subscribe, parse, command, resync. How, in each module's first lines."""
