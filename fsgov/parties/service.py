"""The CRM as an HTTP service: one question is one POST, and its answer is small JSON.

    POST <parties.url>                        Content-Type: application/json
    {"tenant": "default", "number": "+493012345"}

    200 {"facts": {"segment": "retail"}, "consents": {"training": true}, "evidence": "row-7"}
    404                                       nobody has this number

Tenant and number stand in the body: a URL would end in the access logs of every server on the way. Only
`facts` is needed. Everything else is no answer: another status, a redirect (number and credentials are for
this URL alone), a body that is no such JSON or too long, a 404 that is a web page.
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from http.client import BadStatusLine, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from gevent.lock import BoundedSemaphore
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as TooLate

from fsgov import __version__
from fsgov.errors import BadConfiguration
from fsgov.parties.answer import DEADLINE, REFUSED, UNREACHABLE, UNREADABLE, NoAnswer, Row, said

CONNECTIONS = 4
LARGEST = 65_536
"""Bytes of an answer."""
JSON = "application/json"
SHAPE = 'answer 200 with {"facts": {…}, "consents": {…}, "evidence": "…"} as application/json'


def bearer(token: str) -> str:
    """The header Authorization of a token."""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """The header Authorization of a login (RFC 7617, UTF-8)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


class Service:
    """Asks the service over at most CONNECTIONS connections, which are kept.

    authorization: the value of that header, or "". deadline: seconds, for each single wait (a program without
    gevent has no other). Raises BadConfiguration where the CA's file cannot be used.
    """

    def __init__(self, url: str, deadline: float, authorization: str = "", ca: Path | None = None) -> None:
        self._headers = {
            "Content-Type": JSON,
            "Accept": JSON,
            "User-Agent": f"fsgov/{__version__}",
            **({"Authorization": authorization} if authorization else {}),
        }
        self._target = urlsplit(url).path or "/"
        self._places = BoundedSemaphore(CONNECTIONS)
        """The pool's own way to wait for a connection does not bear being interrupted."""
        tls = {"ssl_context": trust(ca)} if url.startswith("https:") else {}
        self._pool = urllib3.connection_from_url(
            url,
            maxsize=CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(total=deadline),
            **tls,
        )

    def ask(self, tenant: str, e164: str) -> Row | None:
        question = json.dumps({"tenant": tenant, "number": e164}).encode()
        try:
            with self._places:
                try:
                    return self._asked(question)
                except ProtocolError:  # a kept connection that the service had closed meanwhile
                    return self._asked(question)
        except (HTTPError, OSError) as error:
            raise without_answer(error) from None

    def close(self) -> None:
        self._pool.close()

    def _asked(self, question: bytes) -> Row | None:
        answer = self._pool.urlopen(
            "POST",
            self._target,
            body=question,
            headers=self._headers,
            redirect=False,
            preload_content=False,
        )
        body, whole = b"", False
        try:
            while piece := answer.read(LARGEST + 1 - len(body), decode_content=False):
                body += piece
            whole = len(body) <= LARGEST
        finally:
            if whole:
                answer.release_conn()
            else:
                answer.close()
        return understood(answer.status, answer.headers.get("Content-Type", ""), body)


def trust(ca: Path | None) -> ssl.SSLContext:
    """Whom to believe: the CAs of a file, else those of this host. Raises BadConfiguration."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else "no certificate in PEM"
        hint = "the certificate of whoever signs the CRM's, as PEM"
        raise BadConfiguration("The CRM's CA cannot be used", f"parties.ca: {ca}: {why}", hint) from None


def without_answer(error: Exception) -> NoAnswer:
    """Why a connection gave no answer, in our words: urllib3's would tell the address."""
    cause = error.__cause__ or next((each for each in error.args if isinstance(each, Exception)), error)
    if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        return NoAnswer(UNREADABLE, "no HTTP", "parties.url does not lead to an HTTP service")
    if isinstance(error, NameResolutionError):
        return NoAnswer(
            UNREACHABLE, "its name cannot be resolved", "see the host in parties.url, and the DNS"
        )
    if isinstance(error, SSLError):
        found = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS"
        hint = "parties.ca names the CA's certificate where this host does not know it"
        return NoAnswer(UNREACHABLE, f"its certificate is not believed: {found}", hint)
    word = getattr(cause, "strerror", None) or type(cause).__name__
    if isinstance(error, TooLate) and not isinstance(error, NewConnectionError):
        return NoAnswer(DEADLINE, "it takes too long", "see why it is slow, or raise parties.deadline")
    return NoAnswer(UNREACHABLE, str(word), "see whether it runs, and host and port of parties.url")


def understood(status: int, type_: str, body: bytes) -> Row | None:
    """What an answer says. Raises NoAnswer."""
    is_json = type_.partition(";")[0].strip().lower() == JSON
    match status:
        case 404 if is_json or not body:
            return None
        case 404:
            raise NoAnswer(UNREADABLE, "404 as a web page", "is the path of parties.url right?")
        case 200 if is_json:
            return read(body)
        case 200:
            raise NoAnswer(UNREADABLE, "200 that is no JSON", SHAPE)
        case 401 | 403:
            raise NoAnswer(
                REFUSED, f"HTTP {status}", "see parties.token, or parties.user and parties.password"
            )
        case _ if 300 <= status < 400:
            raise NoAnswer(REFUSED, f"HTTP {status}", "redirects are not followed: name the last URL")
    raise NoAnswer(REFUSED, f"HTTP {status}", "its own log says why")


def read(body: bytes) -> Row:
    """The JSON of an answer 200. Raises NoAnswer."""
    if len(body) > LARGEST:
        raise NoAnswer(UNREADABLE, f"more than {LARGEST} bytes", "only what a policy names is needed")
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise NoAnswer(UNREADABLE, "200 that is no JSON", SHAPE) from None
    if not isinstance(found, dict):
        raise NoAnswer(UNREADABLE, "no object", SHAPE)
    facts, consents, evidence = found.get("facts"), found.get("consents", {}), found.get("evidence", "")
    if not isinstance(facts, dict) or not isinstance(consents, dict) or not isinstance(evidence, str):
        raise NoAnswer(UNREADABLE, "facts, consents or evidence", SHAPE)
    return Row(facts, said(consents), evidence)
