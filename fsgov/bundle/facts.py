"""Whether the rows in a bundle are what its lines tell, and what they rest on is what it was.

Rows are the operator's word; lines were signed when it happened. Wherever both tell the same thing they are
compared, and one difference is enough to refuse the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from fsgov.bundle import layout
from fsgov.bundle.layout import damaged
from fsgov.bundle.told import About, Bundle, Proven, Row
from fsgov.certificate import check_listed
from fsgov.errors import Damaged, FsgovError
from fsgov.evidence import digest as consent_digest
from fsgov.merkle import Checkpoint
from fsgov.policy import decide, parse
from fsgov.policy.grounds import again, as_stored, canonical, digest, leaves, read

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def checked_manifest(bundle: Bundle, anchor: Row, checkpoint: Checkpoint) -> About:
    """Whose life it is, where bundle.json, the line of the bundle and the rows agree about it."""
    about = bundle.about
    if about.get("format") != layout.FORMAT:
        raise Damaged(
            "This bundle is of another version of fsgov", f"format {about.get('format')}", "use that version"
        )
    told = {"call": about.get("call"), "segments": about.get("segments"), "log_id": about.get("log_id")}
    facts = anchor["data"]
    if anchor["type"] != "fsgov.evidence.exported.v1" or told != {
        "call": facts.get("call"),
        "segments": facts.get("segments"),
        "log_id": checkpoint.log_id,
    }:
        raise damaged(layout.MANIFEST, "it is not what the line of the bundle tells")
    call, segments = str(told["call"]), tuple(map(str, told["segments"] or ()))
    named = {str(row.get("segment")) for row in bundle.table("segments")}
    if named != set(segments) or any(row.get("call") != call for row in bundle.table("segments")):
        raise damaged(layout.ROWS, "its recordings are others than those of the bundle")
    if [row.get("call") for row in bundle.table("calls")] not in ([call], []):
        raise damaged(layout.ROWS, "its call is another")
    return About(call, segments)


def proven(bundle: Bundle) -> Iterator[Proven]:
    """What rows and lines prove together. Raises Damaged where they contradict each other."""
    yield from _policies(bundle)
    for call in bundle.table("calls"):
        yield from _decision(bundle, call)
        yield from _outcome(bundle, call)
    _answers(bundle)
    for segment in bundle.table("segments"):
        yield _consents(bundle, segment)
        yield from _digests(bundle, segment)
        yield from _end(bundle, segment)


def _policies(bundle: Bundle) -> Iterator[Proven]:
    """The texts have their digests, and none that the lines or rows name is missing."""
    prefix = "policies/"
    there = {
        name.removeprefix(prefix).removesuffix(".toml"): name
        for name in bundle.digests
        if name.startswith(prefix)
    }
    for sha256, name in there.items():
        if bundle.digests[name] != sha256:
            raise damaged(name, "it is not the policy of that digest")
    named = {
        str(row["policy_sha256"])
        for row in (*bundle.table("calls"), *bundle.table("segments"))
        if row.get("policy_sha256")
    }
    named |= {str(line.facts["policy"]) for line in bundle.told("call.decided")}
    for sha256 in sorted(named - set(there)):
        raise damaged(f"{prefix}{sha256}.toml", "a decision rests on it, and it is missing")
    if there:
        yield Proven("policy", f"{len(there)} under their digests: each that a decision names")


def _decision(bundle: Bundle, call: Row) -> Iterator[Proven]:
    """What was decided is what the log tells, rests on the inputs it tells, and follows from them."""
    told = bundle.told("call.decided", str(call["call"]))
    decision = call.get("decision")
    if not told or decision is None:
        yield Proven("decision", "none was made")
        return
    last = told[-1].facts
    if (last["rule"], last["policy"]) != (call.get("rule"), call.get("policy_sha256")):
        raise damaged(layout.ROWS, "the call was decided by another rule or policy than the log tells")
    if not call.get("inputs"):
        yield Proven("decision", f"rule {last['rule']}, as the log tells; its inputs are erased")
        return
    inputs = call["inputs"]
    stored = inputs if isinstance(inputs, list) else [{"policy": call["policy_sha256"], "inputs": inputs}]
    salt = call.get("inputs_salt")
    if (digest(str(salt), stored) if salt else "") != last["inputs"]:
        raise damaged(layout.ROWS, "the inputs of the decision are not those that the log tells")
    yield Proven(
        "decision", f"rule {last['rule']}, inputs as the log tells, {_replayed(bundle, stored, decision)}"
    )


def _replayed(bundle: Bundle, stored: Any, decision: Any) -> str:
    try:
        grounds = read(stored)
        policies = {
            ground.policy: parse(
                (bundle.directory / f"policies/{ground.policy}.toml").read_text(encoding="utf-8")
            )
            for ground in leaves(grounds)
        }
        found = again(grounds, lambda ground: decide(policies[ground.policy], ground.inputs))
    except (FsgovError, OSError) as fault:
        return f"not decided again ({fault})"
    if canonical(as_stored(found.to_json(), decision)) != canonical(decision):
        raise damaged(layout.ROWS, "the inputs of the decision do not lead to it")
    return "decided again: the same"


def _outcome(bundle: Bundle, call: Row) -> Iterator[Proven]:
    """How the call ended is what the log tells, and so is what became known of it later."""
    name = str(call["call"])
    told = [(line.facts["outcome"], line.facts["cause"]) for line in bundle.told("call.over", name)]
    later = [line.facts["outcome"] for line in bundle.told("call.outcome.revised", name)]
    outcome = call.get("outcome"), call.get("outcome_cause")
    if told and outcome not in (told[-1], (None, "")) and outcome[1] != "lost":  # lost: reconcile gave it one
        raise damaged(layout.ROWS, "the call has another outcome than the log tells")
    if later and call.get("revised_outcome") != later[-1]:
        raise damaged(layout.ROWS, "its outcome was revised in another way than the log tells")
    if told:
        yield Proven("outcome", f"{outcome[0]}, as the log tells" if outcome[0] else "not entered yet")


def _answers(bundle: Bundle) -> None:
    """Each answer about consent that the log tells is a row that says the same."""
    rows = {str(row["consent"]): row for row in bundle.table("consents")}
    over = {str(row["call"]) for row in bundle.table("calls") if row.get("outcome")}
    for line in bundle.lines:
        if line.subject not in over or not line.type.startswith("consent.") or "consent" not in line.facts:
            continue
        consent, facts = str(line.facts["consent"]), line.facts
        row = rows.get(consent)
        if row is None:
            raise damaged(layout.ROWS, f"consent {consent} has no row")
        told = line.type, *(facts[name] for name in ("party", "purpose", "method", "mode"))
        if told != (f"consent.{row['state']}", row["party"], row["purpose"], row["method"], row["mode"]):
            raise damaged(layout.ROWS, f"consent {consent} is not what the log tells")


def _consents(bundle: Bundle, segment: Row) -> Proven:
    """The consents that the recording rests on are as they were when it was opened."""
    rows = {str(row["consent"]): row for row in bundle.table("consents")}
    named: dict[str, str | None] = {**dict.fromkeys(segment["consents"]), **(segment.get("evidence") or {})}
    erased = 0
    for consent, expected in sorted(named.items()):
        row = rows.get(consent)
        if row is None:
            raise damaged(layout.ROWS, f"consent {consent}, on which {segment['segment']} rests, is missing")
        if row.get("evidence") is None:
            erased += 1
        elif expected is not None and _digest_of(row) != expected:
            raise damaged(layout.ROWS, f"consent {consent} is not what {segment['segment']} rests on")
    opened = bundle.told("segment.opened", str(segment["segment"]))
    if opened and sorted(opened[-1].facts["consents"]) != sorted(segment["consents"]):
        raise damaged(layout.ROWS, f"{segment['segment']} rests on other consents than the log tells")
    says = f"{len(named) - erased} as they were when it was opened" if named else "none was needed"
    return Proven(f"consents of {segment['segment']}", says + (f", {erased} erased" if erased else ""))


def _digest_of(row: Row) -> str:
    at = datetime.fromisoformat(str(row["at"]))
    return consent_digest(
        call=row["call"],
        consent=row["consent"],
        party=row["party"],
        purpose=row["purpose"],
        state=row["state"],
        method=row["method"],
        mode=row["mode"],
        at=(at - EPOCH) // timedelta(microseconds=1),
        evidence=row["evidence"],
    )


def _digests(bundle: Bundle, segment: Row) -> Iterator[Proven]:
    """The digests of audio and sealed object in the row are those that the log tells."""
    name = str(segment["segment"])
    said = []
    for type_, column, words in (
        ("segment.checked", "audio_sha256", "audio"),
        ("segment.stored", "sealed_sha256", "sealed object"),
    ):
        told = {line.facts.get("sha256") for line in bundle.told(type_, name)}
        if segment.get(column) and told:
            if segment[column] not in told:
                raise damaged(layout.ROWS, f"the {words} of {name} has another digest than the log tells")
            said.append(words)
        elif segment.get(column) and not segment.get("adopted"):
            raise damaged(layout.LINES, f"no line tells the digest of the {words} of {name}")
    checked = bundle.told("segment.checked", name)
    if checked and segment.get("mask_proof") not in {line.facts["mask_proof"] for line in checked}:
        raise damaged(layout.ROWS, f"the pauses of {name} were found otherwise than the log tells")
    if said:
        yield Proven(f"digests of {name}", f"{' and '.join(said)}: as the log tells")


def _end(bundle: Bundle, segment: Row) -> Iterator[Proven]:
    """A recording that is destroyed has its certificate, and one that has a certificate is destroyed."""
    name = str(segment["segment"])
    told = {str(line.facts["certificate"]) for line in bundle.told("segment.destroyed", name)}
    file = f"certificates/{name}.json"
    if (segment["state"] == "destroyed") != bool(told) or bool(told) != (file in bundle.digests):
        raise damaged(
            layout.ROWS, f"{name} is {segment['state']}, which is not what its lines and certificate tell"
        )
    if not told:
        return
    if bundle.digests[file] not in told:
        raise damaged(file, "it is not the certificate that the log tells")
    body = json.loads((bundle.directory / file).read_bytes())
    if body.get("segment") != name:
        raise damaged(file, "it is of another recording")
    check_listed(body)
    said = f"{body.get('cause')}, at {body.get('destroyed_at')}, complete after {body.get('complete_after')}"
    yield Proven(f"end of {name}", f"destroyed: {said}; its certificate is what the log tells")
