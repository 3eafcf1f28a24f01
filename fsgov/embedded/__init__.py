"""The PostgreSQL that fsgov brings along: `database.dsn = "embedded:PATH"`.

One directory is one database server, on 127.0.0.1 with scram-sha-256 and a password of its own:

    PATH/data           the data directory, 0700
    PATH/password       the superuser's password, 0600
    PATH/postgres.log   what the server says (no statements, no values: they name people)
    PATH/users.lock     shared lock of everyone who uses the server
    PATH/guard.lock     exclusive lock and process id of its guard

Rules:

1. Whoever uses the server holds a shared lock on `users.lock` (`joined`), dropped by the kernel if killed.
2. The first to join starts a *guard* (`__main__.py`), which starts PostgreSQL as its child, restarts one that
   fell, and stops it when nobody holds the lock any more. So the order in which users leave does not matter,
   and kill -9 of every one of them leaves no server behind.
3. PostgreSQL dies with its guard (PR_SET_PDEATHSIG); the next to join starts both, on the same port if free.
"""

from fsgov.embedded.binaries import Binaries, find
from fsgov.embedded.join import SCHEME, Joined, joined, resolve, stop
from fsgov.embedded.server import Server

__all__ = ["SCHEME", "Binaries", "Joined", "Server", "find", "joined", "resolve", "stop"]
