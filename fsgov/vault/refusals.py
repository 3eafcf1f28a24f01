"""What an S3 server's refusal means for us: decided once, here; the words hold its code and no more."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import urllib3
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from fsgov.errors import (
    BadConfiguration,
    BadUsage,
    Conflict,
    Damaged,
    FsgovError,
    NotFound,
    NotPermitted,
    Unreachable,
)

_BUSY = {
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "QuotaExceeded",
}
_DAMAGED = {
    "XAmzContentSHA256Mismatch",
    "BadDigest",
    "InvalidDigest",
    "IncompleteBody",
    "XAmzContentChecksumMismatch",
}
_MISCONFIGURED = {
    "AuthorizationHeaderMalformed": "the region of the URL is not the bucket's: add ?region=…",
    "PermanentRedirect": "the bucket lives elsewhere: name its own endpoint and region",
    "InvalidBucketName": "",
    "InvalidRegion": "",
    "NotImplemented": "this server cannot do that",
    "ObjectLockConfigurationNotFoundError": "the bucket has no object lock: it must be made with it",
    "InvalidRequest": "is object lock on for this bucket? It must be made with it",
    "InvalidBucketState": "the bucket has no object lock: it must be made with it",
}
_HINTS = {
    "RequestTimeTooSkewed": "the clock of this host or of the server is wrong",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "InvalidAccessKeyId": "the access key is wrong",
    "NoSuchBucket": "make the bucket, with versioning and object lock",
}


@contextlib.contextmanager
def in_our_words(url: str, key: str = "") -> Iterator[None]:
    """Turn what the client libraries raise into errors of ours."""
    try:
        yield
    except FsgovError:
        raise
    except S3Error as failure:
        raise _meant(failure.response.status, failure.code or "", url, key) from None
    except ServerError as failure:
        raise _meant(failure.status_code, "", url, key) from None
    except InvalidResponseError as failure:
        status = re.search(r"Response code: (\d+)", str(failure))
        raise _meant(int(status[1]) if status else 500, "", url, key) from None
    except (urllib3.exceptions.HTTPError, MinioException, OSError) as failure:
        raise Unreachable("The vault does not answer", f"{url}: {_fault(failure)}") from None
    except ValueError as failure:
        raise BadConfiguration("The vault's address does not work", f"{url}: {failure}") from None


def refused(status: int, body: bytes, url: str, key: str) -> FsgovError:
    """The error for an answer with an S3 error document; a redirect or a proxy's page is one too."""
    code = re.search(rb"<Code>([A-Za-z0-9]{1,80})</Code>", body[:4096])
    return _meant(status, code[1].decode() if code else "", url, key)


def _meant(status: int, code: str, url: str, key: str) -> FsgovError:
    detail = " ".join(filter(None, [url, key, str(status), code]))
    hint = _HINTS.get(code, "")
    if code in _DAMAGED:
        return Damaged("The vault refused bytes that are not what was sealed", detail)
    if code in _MISCONFIGURED:
        return BadConfiguration("The vault cannot do this as it is configured", detail, _MISCONFIGURED[code])
    if code in _BUSY or status in (408, 429) or status >= 500:
        return Unreachable("The vault is not able to answer now", detail, hint)
    match status:
        case 301 | 302 | 303 | 307 | 308:
            return BadConfiguration("The vault is somewhere else", detail, "name its own endpoint and region")
        case 401 | 403:
            return NotPermitted("The vault does not permit this to our login", detail, hint)
        case 404 | 405:  # 405: the newest version is a delete marker
            return NotFound("There is no such bucket, object or version", detail, hint)
        case 409 | 412:
            return Conflict("The vault refuses this now", detail, hint)
    return BadUsage("The vault does not understand the request", detail, hint)


def _fault(failure: Exception) -> str:
    """What happened on the wire, without addresses of objects in memory."""
    inner = getattr(failure, "reason", None)
    text = str(inner if isinstance(inner, Exception) else failure)
    return f"{type(failure).__name__}: {re.sub(r'<[^<>]* object at 0x[0-9a-f]+>:? ?', '', text)}"[:200]
