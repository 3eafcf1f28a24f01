"""govern: the gevent daemon beside FreeSWITCH. Events in, one dispatch loop, commands out; never the vault.

    __main__.py   monkey-patches first, then starts everything and stops it cleanly
    part.py       the process: its pieces, its signals, its end
    dispatch.py   the one loop that feeds the core, in the order of arrival
    lanes.py      one conversation's commands in order: the spool first, then the switch
    writing.py    the line to the scribe, which writes the spool
    roster.py     which person an operating-system user is, cached on disk
    site.py, inforce.py, kept.py, compiling.py   configuration, policy and stops in force, also without database
    watching.py   health, metrics and alarms of this part
"""
