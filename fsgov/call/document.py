"""The JSON texts of a conversation: its call file, and the sidecar of a segment.

They are written member by member instead of being encoded as one value: the file is written several times a
call, and this takes a third of the time. Every text in them passes through `text`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from json.encoder import encode_basestring as text

from fsgov.call.gates import AtGate
from fsgov.call.segment import Hold, Mask, Segment, Stray
from fsgov.call.state import Call, Consent, Leg, Party, Question, Tag
from fsgov.policy import grounds
from fsgov.policy.grounds import Ground

ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
TRUTH = ("false", "true")


def sidecar(call: Call, segment: Segment, state: str) -> str:
    """spool/segments/<segment>.json in state `planned` or `captured`."""
    return f"{{{_sidecar(call, segment, state)}}}"


def _maybe(value: str | int | None) -> str:
    """A text, a number, or null."""
    if value is None:
        return "null"
    return text(value) if isinstance(value, str) else str(value)


def _texts(values: Collection[str]) -> str:
    return f"[{', '.join(map(text, values))}]" if values else "[]"


def _words(values: Mapping[str, str]) -> str:
    return f"{{{', '.join([f'{text(name)}: {text(word)}' for name, word in values.items()])}}}"


def _mapping(values: Mapping[str, object]) -> str:
    return ENCODE(dict(values)) if values else "{}"


def _sidecar(call: Call, segment: Segment, state: str) -> str:
    dispose = segment.id in call.dispose
    return (
        f'"format": 1, "segment": {text(segment.id)}, "call": {text(call.id)}, '
        f'"tenant": {text(call.tenant)}, "leg": {text(segment.leg)}, '
        f'"leg_name": {text(segment.leg_name)}, "n": {segment.n}, '
        f'"file": {text(f"{segment.id}.wav")}, "state": {text(state)}, "rule": {text(segment.rule)}, '
        f'"policy": {text(segment.policy)}, "basis": {_words(segment.basis)}, '
        f'"purposes": {_texts(segment.purposes)}, "vault": {text(segment.vault)}, '
        f'"consents": {_texts(segment.consents)}, "evidence": {_words(segment.evidence)}, '
        f'"parties": {sorted(segment.parties)}, '
        f'"opened": {_maybe(segment.opened)}, "start_lost_ms": {_maybe(segment.start_lost_ms)}, '
        f'"closed": {_maybe(segment.closed)}, "cause": {text(segment.cause)}, '
        f'"reported_ms": {_maybe(segment.reported_ms)}, "reported_size": {_maybe(segment.reported_size)}, '
        f'"discarded": {TRUTH[segment.discarded]}, "unbuffered": {TRUTH[segment.unbuffered]}, '
        f'"masks": [{", ".join(map(_mask, segment.masks))}], '
        f'"holds": [{", ".join(map(_hold, segment.holds))}], "dispose": {TRUTH[dispose]}, '
        f'"dispose_reason": {text(call.dispose_reason if dispose else "")}'
    )


def _mask(mask: Mask) -> str:
    return (
        f'{{"by": {text(mask.by)}, "from_ms": {mask.from_ms}, "to_ms": {_maybe(mask.to_ms)}, '
        f'"asked": {mask.asked}, "acknowledged": {_maybe(mask.acknowledged)}, "ended": {_maybe(mask.ended)}, '
        f'"actor": {_maybe(mask.actor)}}}'
    )


def _hold(hold: Hold) -> str:
    return f'{{"from": {hold.start}, "to": {_maybe(hold.end)}}}'


def document(call: Call) -> str:
    """spool/calls/<call>.json: what ship enters, and (under `state`) what a restart needs."""
    return (
        f'{{"format": 1, "call": {text(call.id)}, "host": {text(call.site.host)}, "core": {text(call.core)}, '
        f'"tenant": {text(call.tenant)}, "direction": "{call.direction._value_}", "opened": {call.opened}, '
        f'"answered": {_maybe(call.answered)}, "ended": {_maybe(call.ended)}, "revision": {call.revision}, '
        f'"outcome": {_maybe(call.outcome)}, "outcome_cause": {text(call.outcome_cause)}, '
        f'"merged_into": {_maybe(call.merged_into)}, "parted_from": {_maybe(call.parted_from)}, '
        f'"legs": [{", ".join(map(_leg, call.legs.values()))}], '
        f'"parties": [{", ".join(map(_party, call.parties))}], '
        f'"consents": [{", ".join(map(_consent, call.consents))}], "segments": {_texts(call.segments)}, '
        f'"dispose": {_texts(call.dispose)}, "quarantine": {_mapping(call.quarantine)}, '
        f'"tags": [{", ".join(map(_tag, call.tags))}], "anchors": {_mapping(call.anchors)}, '
        f'"counters": {{"ignored": {call.ignored}}}, "state": {{{_state(call)}}}, {_basis(call)}}}'
    )


def _basis(call: Call) -> str:
    """What the decision rests on, and the decision; kept on the call as long as they are the same.

    `grounds` is null where they are the inputs and the policy that are told beside it.
    """
    kept = call.basis_text
    if kept is not None and kept[0] is call.inputs and kept[1] is call.decision:
        return kept[2]
    version, sha256 = _policy(call)
    inputs = "{}" if call.inputs is None else call.inputs.text()
    decision = "null" if call.decision is None else call.decision.text()
    basis = (
        f'"policy": {{"version": {text(version)}, "sha256": {text(sha256)}}}, '
        f'"inputs": {inputs}, "inputs_salt": {text(call.salt)}, "grounds": {_grounds(call)}, '
        f'"decision": {decision}'
    )
    call.basis_text = (call.inputs, call.decision, basis)
    return basis


def _grounds(call: Call) -> str:
    if call.decision is None or call.inputs is None:
        return "null"
    usual = call.grounds == (Ground(call.decision.policy, call.inputs),)
    return "null" if usual else grounds.text(call.grounds)


def _policy(call: Call) -> tuple[str, str]:
    if call.decision is not None:
        return call.decision.version, call.decision.policy
    return call.policy.version, call.policy.sha256


def _leg(leg: Leg) -> str:
    return (
        f'{{"leg": {text(leg.uuid)}, "name": {text(leg.name)}, "direction": "{leg.direction._value_}", '
        f'"party": {leg.party}, "created": {leg.created}, "answered": {_maybe(leg.answered)}, '
        f'"ended": {_maybe(leg.ended)}, "cause": {text(leg.cause)}}}'
    )


def _party(party: Party) -> str:
    facts = party.facts
    return (
        f'{{"party": {facts.party}, "side": "{facts.side._value_}", "number": {text(facts.number)}, '
        f'"e164": {text(facts.e164)}, "country": {text(facts.country)}, "facts": {_mapping(facts.facts)}}}'
    )


def _consent(consent: Consent) -> str:
    return (
        f'{{"id": {text(consent.id)}, "party": {consent.party}, "purpose": {text(consent.purpose)}, '
        f'"state": "{consent.state._value_}", "method": "{consent.method._value_}", '
        f'"mode": "{consent.mode._value_}", "at": {consent.at}, "evidence": {_mapping(consent.evidence)}}}'
    )


def _tag(tag: Tag) -> str:
    return f'{{"tag": {text(tag.tag)}, "actor": {_maybe(tag.actor)}, "at": {tag.at}}}'


def _question(question: Question) -> str:
    return (
        f'{{"party": {question.party}, "leg": {text(question.leg)}, "purpose": {text(question.purpose)}, '
        f'"mode": "{question.mode._value_}", "number": {question.number}, "asked": {question.asked}, '
        f'"due": {question.due}, "plays": {question.plays}, "started": {_maybe(question.started)}, '
        f'"samples": {_maybe(question.samples)}, "sources": {_texts(question.sources)}, '
        f'"proven": {TRUTH[question.proven]}, '
        f'"open": {TRUTH[question.open]}}}'
    )


def _more(party: Party) -> str:
    """What everybody may not read of a party. A look-up that is under way ends with fsgov."""
    facts = party.facts
    unasked = facts.unasked or party.lookup != 0
    return (
        f'{{"leg": {text(party.leg)}, "user": {text(facts.user)}, "known": {TRUTH[facts.known]}, '
        f'"unasked": {TRUTH[unasked]}, '
        f'"consents": {_mapping(facts.consents)}, "evidence": {text(party.evidence)}}}'
    )


def _stray(segment: str, stray: Stray) -> str:
    return f"{text(segment)}: [{text(stray.leg)}, {TRUTH[stray.every]}]"


def _running(call: Call) -> str:
    segment = call.segment
    if segment is None:
        return "null"
    return (
        f'{{{_sidecar(call, segment, "open")}, "moved": {TRUTH[segment.moved]}, '
        f'"armed": {TRUTH[segment.armed]}}}'
    )


def _paused(call: Call) -> str:
    paused = call.paused
    if paused is None:
        return "null"
    return f'{{"asked": {paused.asked}, "actor": {_maybe(paused.actor)}, "due": {_maybe(paused.due)}}}'


def _gate(leg: str, at: AtGate) -> str:
    return f"{text(leg)}: [{at.opened}, {text(at.told)}, {_maybe(at.waits)}]"


def _state(call: Call) -> str:
    """What a restart needs beyond what everybody may read above."""
    flight = None if call.flight is None else type(call.flight.command).__name__
    sent = None if call.flight is None else call.flight.sent
    before = None if call.before is None else call.before.value
    legs = call.legs.values()
    return (
        f'"stage": "{call.stage._value_}", "actual": "{call.actual._value_}", "before": {_maybe(before)}, '
        f'"flight": {_maybe(flight)}, "sent": {_maybe(sent)}, "segment": {_running(call)}, '
        f'"segment_numbers": {call.segment_numbers}, '
        f'"strays": {{{", ".join(_stray(*stray) for stray in call.strays.items())}}}, '
        f'"numbers": {call.numbers}, "caller": {_texts(call.caller)}, "dialled": {_texts(call.dialled)}, '
        f'"region": {text(call.region)}, "looks_up": {TRUTH[call.looks_up]}, '
        f'"variables": {_mapping(call.variables)}, "gone": {_texts([leg.uuid for leg in legs if leg.gone])}, '
        f'"held": {_texts([leg.uuid for leg in legs if leg.held])}, '
        f'"beside": {_words({leg.uuid: leg.beside for leg in legs if leg.beside})}, '
        f'"parties": [{", ".join(map(_more, call.parties))}], '
        f'"questions": [{", ".join(map(_question, call.questions.values()))}], '
        f'"gates": {{{", ".join(_gate(*gate) for gate in call.gates.items())}}}, '
        f'"announces": {TRUTH[call.announces]}, "announced": {_texts(call.announced)}, '
        f'"started": {TRUTH[call.started]}, "stopped": {TRUTH[call.stopped]}, "paused": {_paused(call)}, '
        f'"halted": {_texts(call.halt.told)}, "kept_off": {TRUTH[call.halt.kept_off]}, '
        f'"failures": {call.failures}, "flawed": {text(call.flawed)}, "captured": {TRUTH[call.captured]}, '
        f'"missed": {TRUTH[call.missed]}, "owed_since": {_maybe(call.owed_since)}, '
        f'"foreign": {TRUTH[call.foreign]}, "elsewhere": {_mapping(call.elsewhere)}, '
        f'"dispose_reason": {text(call.dispose_reason)}'
    )
