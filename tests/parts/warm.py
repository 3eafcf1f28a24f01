"""Programs on fsgov without the start of a Python: forked from a process that has imported it already.

A start with its imports takes half a second of a processor, most of what a short command takes, and the
tests give many hundreds of them. So each run of pytest keeps one process that has imported fsgov's modules
and waits. `program()` is a tiny one that sends it words, directory, environment and standard streams; it
forks, the fork becomes what was asked for, and the program ends as the fork does. What is settled while
Python starts cannot be had like this: `python` knows what has to be a process of its own. So has what a
test gives a signal to, or measures.
"""

from __future__ import annotations

import ast
import atexit
import gc
import importlib
import os
import re
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ctypes import CDLL
from functools import cache
from pathlib import Path

from fsgov import failpoints

AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC_", "OPENSSL_", "GEVENT")
"""How the variables begin that are read while Python starts, or while a module of others is imported."""
LONG = {"run", "demo"}
GEVENT = re.compile(
    r"fsgov\.(announcements|control|daemon|demo|esl|govern|health\.govern|parties|recorder|simulator)\b"
)
"""What imports gevent, which is not for a process that forks."""
LATER = ("getpass", "rich.console", "rich.progress", "rich.table", "tests.parts.schemas")
"""What is imported beside fsgov by what is run."""
MOST = 1 << 17
"""Bytes of a request."""
PROGRAM = """#!{python} -IS
import os, sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket
to = socket(AF_UNIX, SOCK_SEQPACKET)
to.connect({path!r})
streams = b"".join(each.to_bytes(4, sys.byteorder) for each in (0, 1, 2))
request = ascii(({first!r} + sys.argv[1:], os.getcwd(), dict(os.environ))).encode()
to.sendmsg([request], [(SOL_SOCKET, SCM_RIGHTS, streams)])
code = int(to.recv(20))
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def command(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The argument list of `fsgov WORDS…`."""
    return python(["-m", "fsgov", *words], environment)


def python(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The argument list of `python -m MODULE …` or `python -c CODE …`; the real one where that may differ."""
    own, here = (
        {name: value for name, value in of.items() if name.startswith(AT_START)}
        for of in (environment, os.environ)
    )
    if own != here or not LONG.isdisjoint(words) or os.environ.get("FSGOV_CRASH") == "long":
        return [sys.executable, *words]
    return [str(program("python")), *words]


@cache
def program(name: str = "fsgov") -> Path:
    """A program of that name, for shells, for as long as pytest runs."""
    first = {"fsgov": ["-m", "fsgov"], "python": []}[name]
    made = _server() / name
    made.write_text(PROGRAM.format(python=sys.executable, path=f"{_server()}/socket", first=first))
    made.chmod(0o755)
    return made


@cache
def _server() -> Path:
    """Start what forks, which ends with this process; its directory."""
    directory = tempfile.TemporaryDirectory(prefix="warm")
    child = subprocess.Popen(
        [sys.executable, "-m", __name__, f"{directory.name}/socket"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # as commands have: Python asks its streams only when it starts what they are
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: CDLL(None).prctl(1, signal.SIGKILL),
    )
    atexit.register(lambda: (child.kill(), child.communicate(), directory.cleanup()))
    assert child.stdout is not None
    said = child.stdout.readline()
    assert said == b"ready\n", said + child.stdout.read()
    return Path(directory.name)


def prepare() -> None:
    """Import what commands import; no thread may be left, and nothing that is a command's own to choose."""
    import fsgov

    top = Path(fsgov.__file__).parent
    for path in sorted(top.rglob("*.py")):
        name = ".".join(path.relative_to(top.parent).with_suffix("").parts).removesuffix(".__init__")
        if not GEVENT.match(name) and not name.endswith("__main__"):
            importlib.import_module(name)
            assert "gevent" not in sys.modules, name
    for name in LATER:
        importlib.import_module(name)
    assert threading.active_count() == 1
    assert tempfile.tempdir is None
    gc.freeze()


def serve(path: str) -> None:
    """Attend to one request after the other; returns in a process that has to be a command."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen(32)
        os.write(1, b"ready\n")
        while True:
            asked, _ = listening.accept()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if os.fork() == 0:
                break
            asked.close()
    attend(asked)


def attend(asked: socket.socket) -> None:
    """Fork what is asked for, and tell how it ended; it is killed when nobody waits for it any more."""
    request, streams, _, _ = socket.recv_fds(asked, MOST, 3)
    child = os.fork()
    if child == 0:
        asked.close()
        return become(streams, *ast.literal_eval(request.decode()))
    for each in streams:
        os.close(each)
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended, asked], [], [])
    if ended not in ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with suppress(OSError):
        asked.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def become(streams: list[int], words: list[str], directory: str, environment: dict[str, str]) -> None:
    """The process as its caller wants it, up to the first line of its code."""
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    os.chdir(directory)
    sys.path[0] = directory
    sys.argv[:] = words
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(failpoints)


def run() -> None:
    """`-m MODULE …` or `-c CODE …`, as Python runs it."""
    how, what = sys.argv[:2]
    del sys.argv[0]
    if how == "-m":
        runpy.run_module(what, run_name="__main__")
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


def end(code: object) -> None:
    """What Python does when it ends, but for taking everything to pieces: half of what a fork costs."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if code is None or isinstance(code, int):
        os._exit(code or 0)


if __name__ == "__main__":
    prepare()
    serve(sys.argv[1])
    try:
        run()
        end(0)
    except SystemExit as ended:
        end(ended.code)
        raise
