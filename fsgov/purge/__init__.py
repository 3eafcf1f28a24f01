"""What destroys recordings, and nothing else does: an approved plan, recording by recording, provably.

The durable order; each step is durable before the next begins, and a kill between two is made good:

    1  purge.destroying   tx1: under the lock that placing a hold takes, held() is asked once more; what is
                          not held is `destroying`, erased names by whom and why, the line says so
    2  purge.ledger       erased/<segment> is in the key bucket of every vault that has something of it
    3  purge.listed       every version that the vaults list is noted in erased
       purge.keys         tx2: the wrapped keys are destroyed
    4  purge.version      each version, each delete marker, each unfinished upload is removed, until ...
       purge.proven       ... a listing shows that nothing is left
    5  purge.certified    tx3: tombstone, certificate, lines: the recording's, and the root of those together

`removing` deals with the vaults, `applying` with plans and batches, `part` is the thread of keep;
`fsgov.certificate` is what a certificate says and how it is verified.
"""
