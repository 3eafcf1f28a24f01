"""Recordings of a real FreeSWITCH's event socket; `tests/wire.py` reads them."""
