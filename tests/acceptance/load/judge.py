"""What is wrong when all is over: sentences. The witnesses are the switch's ledger and the vault, opened."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fsgov.demo.site import Site
from tests.acceptance.crash import oracle
from tests.acceptance.crash.evidence import Evidence
from tests.acceptance.crash.parts import plaintext_in, scratch
from tests.acceptance.load.phones import Spoken

IN_THE_VAULT = frozenset({"recorded", "recorded-in-part", "withdrawn"})


def faults(site: Site, evidence: Evidence, calls: Sequence[Spoken]) -> list[str]:
    """Everything that is wrong; none where all is well."""
    return [
        *_audio(evidence),
        *_rows(evidence),
        *_outcomes(evidence, calls),
        *_promises(evidence, calls),
        *_log(evidence),
        *(f"plaintext: {path}" for path in plaintext_in(site.database, site.root / "vault", scratch(site))),
        *(f"plaintext: {path}" for path in _host(site)),
    ]


def _host(site: Site) -> list[str]:
    """Files of the switch host with plaintext in them, but for the one place where it may be."""
    audio = str(site.spool / "audio")
    return [path for path in plaintext_in(site.host) if not path.startswith(audio)]


def _audio(evidence: Evidence) -> Iterator[str]:
    """To the frame what the switch wrote, nothing else, and nothing twice."""
    written = oracle.written(evidence)
    for segment in sorted(written.keys() - evidence.vault.keys()):
        yield f"{segment}: {len(written[segment])} frames were written and none are in the vault"
    for segment in sorted(evidence.vault.keys() - written.keys()):
        yield f"{segment} is in the vault and the switch has not written it"
    for segment in sorted(evidence.vault.keys() & written.keys()):
        heard = oracle.spoken(evidence.vault[segment])
        if heard != written[segment]:
            yield f"{segment}: {len(heard)} frames in the vault are not the {len(written[segment])} written"
    if again := oracle.twice(evidence.vault):
        yield f"{len(again)} frames are in the vault twice"


def _rows(evidence: Evidence) -> Iterator[str]:
    """One row, one object and two equal wrapped keys for each file of the switch, each where it belongs."""
    opened = {Path(each["file"]).stem: each["uuid"] for each in evidence.happened("opened")}
    names = {name for segment, row in evidence.rows.items() for name in (row.object_key, f"keys/{segment}")}
    for name, count in evidence.objects.items():
        if count != 1 or name not in names:
            yield f"{name} is in the vault {count} times, and {'a' if name in names else 'no'} row names it"
    for segment, wav in evidence.vault.items():
        row = evidence.rows[segment]
        if (row.audio_size, row.audio_sha256) != (len(wav), hashlib.sha256(wav).hexdigest()):
            yield f"{segment}: size or digest in the row are not those of the audio"
        if (row.state, row.call) != ("stored", opened.get(segment)):
            yield f"{segment}: the row says {row.state} {row.quarantine}, of call {row.call}"
    for segment, (bucket, database) in evidence.wrapped.items():
        if bucket != database:
            yield f"{segment}: the key bucket and the database have different keys"
    for type_ in ("segment.checked", "segment.stored"):
        told = evidence.entered(type_)
        if wrong := {s: n for s, n in told.items() if n != 1} | dict.fromkeys(
            evidence.vault.keys() - told, 0
        ):
            yield f"{type_} is not told once each: {wrong}"


def _outcomes(evidence: Evidence, calls: Sequence[Spoken]) -> Iterator[str]:
    """Each call has one outcome, and it fits what is in the vault; a call that nobody saw has no audio."""
    if strange := evidence.calls.keys() - oracle.conversations(evidence):
        yield f"calls that the switch did not have: {sorted(strange)}"
    audible = Counter(row.call for s, row in evidence.rows.items() if s in evidence.vault)
    recorded = {each["uuid"] for each in evidence.happened("opened")}
    for each in calls:
        row = evidence.calls.get(each.call)
        if row is None:
            if each.listed or each.call in recorded:
                yield f"{each.name} ({each.call}) is no row, though fsgov has seen it"
            continue
        if row.outcome not in each.outcomes:
            yield f"{each.name} ({each.call}): the outcome is {row.outcome} {row.outcome_cause}"
        if (row.outcome in IN_THE_VAULT) != bool(audible[each.call]):
            yield f"{each.name} ({each.call}): {row.outcome}, with {audible[each.call]} files in the vault"
    last: dict[str, str] = {}
    for line in evidence.parsed():
        if line["type"] in ("fsgov.call.over.v1", "fsgov.call.outcome.revised.v1"):
            last[line["subject"]] = line["data"]["outcome"]
    rows = {call: row.outcome for call, row in evidence.calls.items()}
    if differ := {call for call in last.keys() | rows.keys() if last.get(call) != rows.get(call)}:
        yield f"log and catalog tell different outcomes of {sorted(differ)}"


def _promises(evidence: Evidence, calls: Sequence[Spoken]) -> Iterator[str]:
    legs: dict[str, set[int]] = {}
    for leg in evidence.happened("leg"):
        legs.setdefault(leg["call"], set()).add(leg["leg"])
    heard: dict[int, list[int]] = {}
    for wav in evidence.vault.values():
        for frame in oracle.spoken(wav):
            if isinstance(frame, tuple):
                heard.setdefault(frame[0], []).append(frame[1])
    for each in calls:
        moments = [moment for leg in legs[each.call] for moment in heard.get(leg, ())]
        for silence in each.silent:
            last = silence.last if silence.last is not None else max(moments, default=0) + 1
            if broken := [moment for moment in moments if silence.first < moment < last]:
                yield (
                    f"{each.name} ({each.call}): {silence.why}, yet {len(broken)} frames are there, "
                    f"{broken[0] - silence.first} after it"
                )


def _log(evidence: Evidence) -> Iterator[str]:
    """It verifies, no line of any origin is missing, and no whole line that was written has stayed out."""
    yield from evidence.log_faults
    numbers: dict[str, list[int]] = {}
    for line in evidence.parsed():
        origin, _, n = line["id"].rpartition(".")
        numbers.setdefault(origin, []).append(int(n))
    for origin, found in numbers.items():
        if found != list(range(1, len(found) + 1)):
            yield f"{origin} has gaps or is out of order"
    known = set(evidence.lines)
    for origin, (*lines, rest) in evidence.left.items():
        if rest or not known.issuperset(lines):
            yield f"{origin}: what is left of its file is not in the log"
    if evidence.alarms != "{}":
        yield f"alarms are left: {evidence.alarms}"
