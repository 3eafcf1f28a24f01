"""govern: the gevent daemon beside FreeSWITCH. Events in, one dispatch loop, commands out; never the vault.

__main__.py   monkey-patches first, before any other import
starting.py   the process: its configuration, its signals, its exit code
part.py       its pieces, joined; reload and stop
clock.py      the time it goes by, which does not jump while a call is up
counting.py   legs against the sessions of a heartbeat: an end that was never told
dispatch.py   the one loop that feeds the core, in the order of arrival
lanes.py      one conversation's commands in order: the spool first, then the switch
writing.py    the line to the scribe, which writes the spool
site.py       what of the configuration the core needs, and what a reload takes up
inforce.py    which policy and which stops are in force: asked of PostgreSQL twice a second
kept.py       what of that is remembered on disk, for a start without PostgreSQL
compiling.py  a policy is compiled in a child, so that ten thousand rules do not hold the loop up
roster.py     which person an operating-system user is, cached on disk
watching.py   health and alarms of this part
others.py     whether ship and keep do their work
"""
