"""The vault: where sealed objects live, by URL scheme.

    file:PATH                                 a directory; makes nothing immutable, separates no rights
    s3://HOST[:PORT]/BUCKET[?region=R&ca=FILE]  any S3 over https; region us-east-1 where none is named;
                                              ca: certificates to trust besides the system's
    s3+http://HOST[:PORT]/BUCKET              the same without TLS, for a server on this host

A vault of the configuration is two buckets, one for sealed audio and another for wrapped keys, so that one
login may read the first and not the second. `bucket` holds the contract that each scheme keeps.
"""

from fsgov.vault.bucket import BLOCK, Bucket, LockMode, Probe, Stat, Stored, Vault, Version, verified
from fsgov.vault.locks import grown, least
from fsgov.vault.opening import Credentials, open_bucket, open_vault

__all__ = [
    "BLOCK",
    "Bucket",
    "Credentials",
    "LockMode",
    "Probe",
    "Stat",
    "Stored",
    "Vault",
    "Version",
    "grown",
    "least",
    "open_bucket",
    "open_vault",
    "verified",
]
