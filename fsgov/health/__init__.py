"""What a part says of itself: metrics, whether it lives, whether it can do its work.

vitals.py      what each part answers: alive, ready, readings
metrics.py     the table of metrics, and their collection at scrape time
pages.py       /metrics, /healthz, /readyz as a WSGI application
listener.py    serving that on a TCP address, in govern's greenlets or a thread
spread.py      durations counted by bounds
tally.py       what govern's loop counts as it turns
govern.py, ship.py, keep.py    the vitals of each part
alerts.yml     rules for Prometheus
"""
