"""A load of time-coded calls drawn from a seed, what is done to the service under it, and the judgement.

phones.py   the calls: what their people do, and what they were promised
kills.py    SIGKILL of each part, at random moments and at each step
judge.py    what is wrong at the end, by the switch's world and the bytes in the vault
"""
