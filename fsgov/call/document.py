"""The JSON texts of a conversation: its call file, and the sidecar of a segment."""

from __future__ import annotations

import json
from typing import Any

from fsgov.call.state import Call, Consent, Leg, Mask, Party, Question, Segment

ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def sidecar(call: Call, segment: Segment, state: str) -> str:
    """spool/segments/<segment>.json in state `planned` or `captured`."""
    return ENCODE(_sidecar(call, segment, state))


def _sidecar(call: Call, segment: Segment, state: str) -> dict[str, Any]:
    dispose = segment.id in call.dispose
    return {
        "format": 1,
        "segment": segment.id,
        "call": call.id,
        "tenant": call.tenant,
        "leg": segment.leg,
        "leg_name": segment.leg_name,
        "n": segment.n,
        "file": f"{segment.id}.wav",
        "state": state,
        "rule": segment.rule,
        "policy": segment.policy,
        "basis": dict(segment.basis),
        "purposes": list(segment.purposes),
        "vault": segment.vault,
        "consents": list(segment.consents),
        "opened": segment.opened,
        "closed": segment.closed,
        "cause": segment.cause,
        "reported_ms": segment.reported_ms,
        "reported_size": segment.reported_size,
        "discarded": segment.discarded,
        "masks": [_mask(mask) for mask in segment.masks],
        "holds": [{"from": hold.start, "to": hold.end} for hold in segment.holds],
        "dispose": dispose,
        "dispose_reason": call.dispose_reason if dispose else "",
    }


def _mask(mask: Mask) -> dict[str, Any]:
    return {
        "by": mask.by,
        "from_ms": mask.from_ms,
        "to_ms": mask.to_ms,
        "asked": mask.asked,
        "acknowledged": mask.acknowledged,
        "ended": mask.ended,
        "actor": mask.actor,
    }


def document(call: Call) -> str:
    """spool/calls/<call>.json: what ship enters, and (under `state`) what a restart needs."""
    rest = {
        "format": 1,
        "call": call.id,
        "host": call.site.host,
        "core": call.core,
        "tenant": call.tenant,
        "direction": call.direction.value,
        "opened": call.opened,
        "answered": call.answered,
        "ended": call.ended,
        "revision": call.revision,
        "outcome": call.outcome,
        "outcome_cause": call.outcome_cause,
        "merged_into": call.merged_into,
        "legs": [_leg(leg) for leg in call.legs.values()],
        "parties": [_party(party) for party in call.parties],
        "consents": [_consent(consent) for consent in call.consents],
        "segments": list(call.segments),
        "dispose": list(call.dispose),
        "tags": [{"tag": tag.tag, "actor": tag.actor, "at": tag.at} for tag in call.tags],
        "counters": {"ignored": call.ignored},
        "state": _state(call),
    }
    return f"{ENCODE(rest)[:-1]}, {_basis(call)}}}"


def _basis(call: Call) -> str:
    """The members `policy`, `inputs` and `decision`, kept on the call as long as they are the same."""
    kept = call.basis_text
    if kept is not None and kept[0] is call.inputs and kept[1] is call.decision:
        return kept[2]
    version, sha256 = _policy(call)
    members = {
        "policy": {"version": version, "sha256": sha256},
        "inputs": {} if call.inputs is None else call.inputs.to_json(),
        "decision": None if call.decision is None else call.decision.to_json(),
    }
    text = ENCODE(members)[1:-1]
    call.basis_text = (call.inputs, call.decision, text)
    return text


def _policy(call: Call) -> tuple[str, str]:
    if call.decision is not None:
        return call.decision.version, call.decision.policy
    return call.policy.version, call.policy.sha256


def _leg(leg: Leg) -> dict[str, Any]:
    return {
        "leg": leg.uuid,
        "name": leg.name,
        "direction": leg.direction.value,
        "party": leg.party,
        "created": leg.created,
        "answered": leg.answered,
        "ended": leg.ended,
        "cause": leg.cause,
    }


def _party(party: Party) -> dict[str, Any]:
    facts = party.facts
    return {
        "party": facts.party,
        "side": facts.side.value,
        "number": facts.number,
        "e164": facts.e164,
        "country": facts.country,
        "facts": dict(facts.facts),
    }


def _consent(consent: Consent) -> dict[str, Any]:
    return {
        "id": consent.id,
        "party": consent.party,
        "purpose": consent.purpose,
        "state": consent.state.value,
        "method": consent.method.value,
        "mode": consent.mode.value,
        "at": consent.at,
        "evidence": dict(consent.evidence),
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "party": question.party,
        "leg": question.leg,
        "purpose": question.purpose,
        "mode": question.mode.value,
        "number": question.number,
        "asked": question.asked,
        "due": question.due,
        "plays": question.plays,
        "started": question.started,
        "samples": question.samples,
        "proven": question.proven,
        "open": question.open,
    }


def _running(call: Call, segment: Segment) -> dict[str, Any]:
    return {**_sidecar(call, segment, "open"), "moved": segment.moved, "armed": segment.armed}


def _more(party: Party) -> dict[str, Any]:
    facts = party.facts
    return {
        "leg": party.leg,
        "known": facts.known,
        "consents": dict(facts.consents),
        "evidence": party.evidence,
    }


def _state(call: Call) -> dict[str, Any]:
    """What a restart needs beyond what everybody may read above."""
    segment = call.segment
    flight, paused = call.flight, call.paused
    return {
        "stage": call.stage.value,
        "actual": call.actual.value,
        "before": None if call.before is None else call.before.value,
        "flight": None if flight is None else type(flight.command).__name__,
        "segment": None if segment is None else _running(call, segment),
        "segment_numbers": call.segment_numbers,
        "strays": {segment: [stray.leg, stray.every] for segment, stray in call.strays.items()},
        "numbers": call.numbers,
        "caller": list(call.caller),
        "dialled": list(call.dialled),
        "region": call.region,
        "looks_up": call.looks_up,
        "variables": dict(call.variables),
        "gone": [leg.uuid for leg in call.legs.values() if leg.gone],
        "held": [leg.uuid for leg in call.legs.values() if leg.held],
        "parties": [_more(party) for party in call.parties],
        "questions": [_question(question) for question in call.questions.values()],
        "started": call.started,
        "stopped": call.stopped,
        "paused": None
        if paused is None
        else {"asked": paused.asked, "actor": paused.actor, "due": paused.due},
        "halted": list(call.halt.told),
        "kept_off": call.halt.kept_off,
        "failures": call.failures,
        "flawed": call.flawed,
        "captured": call.captured,
        "missed": call.missed,
        "foreign": call.foreign,
        "dispose_reason": call.dispose_reason,
    }
