-- What fsgov keeps in PostgreSQL (15 to 18): rows of calls and recordings, people's rights, the event log.
--
-- Rules of this file
--   * The comments are the state machine: each value says what it means and which transition writes it.
--   * `tenant` is a column of every table; '*' marks rows of the installation itself. Row security is forced.
--   * Everything belongs to fsgov_owner, who cannot log in. Services and people write through the functions
--     below only; each takes the actor from session_user, which neither SET ROLE nor set_config can change.
--   * Instants are timestamptz, UTC. Free text (reason, matter) and numbers stay in rows, never in a line.
--
-- Run by `fsgov db init` in one transaction, as a superuser or as a role with CREATEROLE that may create schemas
-- here. Roles belong to the whole server, so they may be there already.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'fsgov_owner',        -- owns schema, tables and functions; nobody logs in as it
        'fsgov_agent',        -- people who talk to callers: calls of their tenants without numbers
        'fsgov_supervisor',   -- ... and numbers, decision inputs, recordings for a purpose
        'fsgov_privacy',      -- ... and quarantined recordings, holds, people
        'fsgov_auditor',      -- everything that is no recording: rows, accesses, people, the log
        'fsgov_ops',          -- rows without numbers, and the log
        'fsgov_integrator',   -- the log, and rows without numbers
        'fsgov_govern', 'fsgov_ship', 'fsgov_keep'   -- logins of the three parts; db init gives them passwords
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    EXECUTE pg_catalog.format('GRANT fsgov_owner TO %I', current_user);
    EXECUTE pg_catalog.format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;

CREATE SCHEMA fsgov AUTHORIZATION fsgov_owner;
SET LOCAL ROLE fsgov_owner;
SET LOCAL search_path = pg_catalog, fsgov, pg_temp;
ALTER DEFAULT PRIVILEGES FOR ROLE fsgov_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA fsgov TO fsgov_agent, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops,
    fsgov_integrator, fsgov_govern, fsgov_ship, fsgov_keep;


-- == Tables ==============================================================================================

CREATE TABLE fsgov.version (
    step       integer PRIMARY KEY,
    tenant     text NOT NULL DEFAULT '*',
    applied_at timestamptz NOT NULL DEFAULT now(),
    program    text NOT NULL
);
COMMENT ON TABLE fsgov.version IS
    'Upgrade steps this database has had. db init writes the newest number, db upgrade each step it applies.';

-- -- people ----------------------------------------------------------------------------------------------

CREATE TABLE fsgov.people (
    id          text PRIMARY KEY,
    tenant      text NOT NULL DEFAULT '*',
    login       name NOT NULL UNIQUE,
    os_user     text UNIQUE,
    added_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
COMMENT ON TABLE fsgov.people IS 'Who may act. One person is one PostgreSQL login; their rights are its group roles.';
COMMENT ON COLUMN fsgov.people.id IS 'p- and random letters: the only name of a person that a line may carry.';
COMMENT ON COLUMN fsgov.people.os_user IS 'The login on switch hosts: SO_PEERCRED of the control socket -> this person.';
COMMENT ON COLUMN fsgov.people.disabled_at IS 'Null: may act. Set by people_disable, never cleared: a login that comes back is a new person.';

CREATE TABLE fsgov.memberships (
    person text NOT NULL REFERENCES fsgov.people,
    tenant text NOT NULL CHECK (tenant <> ''),
    since  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person, tenant)
);
COMMENT ON TABLE fsgov.memberships IS
    'Whose rows a person sees, by session_user. Tenant * is the operator: every tenant, and the event log.';

-- -- calls -----------------------------------------------------------------------------------------------

CREATE TABLE fsgov.calls (
    call            text PRIMARY KEY CHECK (call ~ '^[0-9A-Za-z-]{1,64}$'),
    tenant          text NOT NULL CHECK (tenant <> ''),
    host            text NOT NULL,
    core            text NOT NULL DEFAULT '',
    direction       text NOT NULL CHECK (direction IN ('inbound', 'outbound', 'internal')),
    opened_at       timestamptz NOT NULL,
    answered_at     timestamptz,
    ended_at        timestamptz,
    revision        bigint NOT NULL,
    policy_version  text,
    policy_sha256   text,
    inputs          jsonb,
    inputs_salt     text,
    decision        jsonb,
    rule            text,
    outcome         text CHECK (outcome IN ('recorded', 'recorded-in-part', 'refused', 'withdrawn',
                        'consent-unanswered', 'not-answered', 'not-required', 'not-requested', 'sampled-out',
                        'foreign', 'merged', 'failed')),
    outcome_cause   text NOT NULL DEFAULT '',
    revised_outcome text CHECK (revised_outcome IN ('recorded-in-part', 'failed')),
    revised_cause   text NOT NULL DEFAULT '',
    merged_into     text,
    parted_from     text,
    segments        text[] NOT NULL DEFAULT '{}',
    counters        jsonb NOT NULL DEFAULT '{}',
    entered_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX calls_opened ON fsgov.calls (tenant, opened_at DESC);
CREATE INDEX calls_outcome ON fsgov.calls (outcome, opened_at);
CREATE INDEX calls_rule ON fsgov.calls (rule, opened_at);
CREATE INDEX calls_by_day ON fsgov.calls USING brin (opened_at, entered_at);
COMMENT ON TABLE fsgov.calls IS
    'One row per conversation, recorded or not. enter_call (ship) writes it from the call file of the spool; an older revision never overwrites a newer one.';
COMMENT ON COLUMN fsgov.calls.revision IS 'Grows with every write of the call file by govern; the row is that revision, whole.';
COMMENT ON COLUMN fsgov.calls.inputs IS 'Everything the policy was given, numbers included: what explain --replay decides again from. An array where the decision is the stricter of several (fsgov/policy/grounds.py). Null after an erasure.';
COMMENT ON COLUMN fsgov.calls.inputs_salt IS '16 random bytes, hex. call.decided tells SHA-256 of these and of inputs (fsgov/policy/grounds.py), which proves them. Null after an erasure, with inputs: then the digest in the log is of nobody.';
COMMENT ON COLUMN fsgov.calls.decision IS 'What the policy decided; null while the call is ringing.';
COMMENT ON COLUMN fsgov.calls.outcome IS
    'Null: the call is not over, or its last revision is not entered yet. Set by govern at OVER, once: recorded (all of the time wanted), recorded-in-part, failed (nothing of it; why is in outcome_cause), refused (before capture), withdrawn (after it), consent-unanswered, not-answered, not-required (rule says never), not-requested (on demand, unused), sampled-out, foreign (another program records it), merged (goes on in merged_into).';
COMMENT ON COLUMN fsgov.calls.revised_outcome IS
    'What the audio said afterwards (ship, revise_outcome): failed or recorded-in-part where govern believed more. Null: nothing to revise.';
COMMENT ON COLUMN fsgov.calls.parted_from IS
    'The call that its people were in before they went on apart from the others (a room left, a transfer of both). What they had said and what governed them came along.';
COMMENT ON COLUMN fsgov.calls.segments IS 'Every segment govern opened, so that one which never arrives is missed.';

CREATE TABLE fsgov.legs (
    call        text NOT NULL REFERENCES fsgov.calls,
    leg         text NOT NULL,
    tenant      text NOT NULL,
    name        text NOT NULL,
    direction   text NOT NULL,
    party       integer,
    created_at  timestamptz,
    answered_at timestamptz,
    ended_at    timestamptz,
    cause       text NOT NULL DEFAULT '',
    PRIMARY KEY (call, leg)
);
CREATE INDEX legs_created ON fsgov.legs USING brin (created_at);
COMMENT ON TABLE fsgov.legs IS 'Channels of the switch that took part, by order of joining (a, b, c ...). Replaced with each revision of the call.';

CREATE TABLE fsgov.parties (
    call    text NOT NULL REFERENCES fsgov.calls,
    party   integer NOT NULL,
    tenant  text NOT NULL,
    side    text NOT NULL CHECK (side IN ('outside', 'inside')),
    number  text,
    e164    text,
    country text,
    facts   jsonb,
    PRIMARY KEY (call, party)
);
CREATE INDEX parties_e164 ON fsgov.parties (e164);
CREATE INDEX parties_number ON fsgov.parties (number);
CREATE INDEX parties_facts ON fsgov.parties USING gin (facts);
COMMENT ON TABLE fsgov.parties IS
    'The people of a call. Entries name them by ordinal only: nulling number, e164 and facts here unlinks the log.';

CREATE TABLE fsgov.consents (
    call     text NOT NULL REFERENCES fsgov.calls,
    consent  text NOT NULL,
    tenant   text NOT NULL,
    party    integer NOT NULL,
    purpose  text NOT NULL,
    state    text NOT NULL CHECK (state IN ('given', 'refused', 'unanswered', 'withdrawn')),
    method   text NOT NULL,
    mode     text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL,
    evidence jsonb,
    PRIMARY KEY (call, consent)
);
CREATE INDEX consents_row ON fsgov.consents ((evidence ->> 'row'));
COMMENT ON TABLE fsgov.consents IS 'Consent per party and purpose, with its evidence. Replaced with each revision of the call.';
COMMENT ON COLUMN fsgov.consents.state IS
    'given: yes by key, variable, CRM, by the word of an agent or a person (agent, cli), or (notice) by staying. refused: no. unanswered: the question ended without a key. withdrawn: given before, taken back during the call.';
COMMENT ON COLUMN fsgov.consents.mode IS 'The consent mode in force then, after the floors.';

CREATE TABLE fsgov.tags (
    call   text NOT NULL REFERENCES fsgov.calls,
    n      integer NOT NULL,
    tenant text NOT NULL,
    tag    text NOT NULL,
    actor  text,
    at     timestamptz NOT NULL,
    PRIMARY KEY (call, n)
);
CREATE INDEX tags_tag ON fsgov.tags (tag);
COMMENT ON TABLE fsgov.tags IS 'What people wrote on a call while it was live. Replaced with each revision of the call.';

-- -- recordings ------------------------------------------------------------------------------------------

CREATE TABLE fsgov.segments (
    segment        text PRIMARY KEY,
    call           text NOT NULL,
    tenant         text NOT NULL CHECK (tenant <> ''),
    leg            text NOT NULL,
    leg_name       text NOT NULL DEFAULT '',
    n              integer NOT NULL,
    state          text NOT NULL CHECK (state IN ('stored', 'quarantined', 'missing', 'destroying', 'destroyed')),
    rule           text,
    policy_sha256  text,
    basis          jsonb NOT NULL DEFAULT '{}',
    purposes       text[] NOT NULL DEFAULT '{}',
    consents       text[] NOT NULL DEFAULT '{}',
    evidence       jsonb NOT NULL DEFAULT '{}',
    parties        integer[] NOT NULL DEFAULT '{}',
    opened_at      timestamptz,
    start_lost_ms  bigint,
    closed_at      timestamptz,
    cause          text NOT NULL DEFAULT '',
    reported_ms    bigint,
    reported_size  bigint,
    leg_holds      jsonb NOT NULL DEFAULT '[]',
    dispose        boolean NOT NULL DEFAULT false,
    dispose_reason text NOT NULL DEFAULT '',
    frames         bigint,
    ms             bigint,
    audio_size     bigint,
    audio_sha256   text,
    truncated      boolean NOT NULL DEFAULT false,
    lost_ms        bigint,
    mask_proof     text NOT NULL DEFAULT 'none' CHECK (mask_proof IN ('proven', 'failed', 'none')),
    findings       text[] NOT NULL DEFAULT '{}',
    quarantine     text NOT NULL DEFAULT '',
    review_by      timestamptz,
    vault          text NOT NULL,
    object_key     text,
    version_id     text,
    key_version_id text,
    sealed_size    bigint,
    sealed_sha256  text,
    sealed_to      text,
    stored_at      timestamptz,
    adopted        text NOT NULL DEFAULT '',
    entered_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'missing') = (object_key IS NULL)),
    CHECK ((object_key IS NULL) = (sealed_sha256 IS NULL))
);
CREATE INDEX segments_call ON fsgov.segments (call, n);
CREATE INDEX segments_destroying ON fsgov.segments (segment) WHERE state = 'destroying';
COMMENT ON TABLE fsgov.segments IS
    'One file of one uninterrupted recording. enter_segment (ship) writes it once, after the vault has confirmed the object. No reference to calls: audio must be enterable even where the call file was lost.';
COMMENT ON COLUMN fsgov.segments.state IS
    'stored: checked, sealed, in the vault (enter_segment). quarantined: the same, but a check failed or a person said so: released to fsgov_privacy only, to be reviewed by review_by (enter_segment). missing: there was no audio on disk to store (enter_segment). destroying: no hold was in force, and its key and objects are being destroyed (begin_destruction): nothing brings it back. destroyed: no version of its objects is listed any more (certify); this row is its tombstone.';
COMMENT ON COLUMN fsgov.segments.dispose IS 'Refused or withdrawn: to be destroyed by purge, unless held. Written by enter_segment, and by enter_call where the withdrawal came after the segment was entered.';
COMMENT ON COLUMN fsgov.segments.consents IS 'The consents it rests on. It ends where these change, as where its rule, purposes, vault or leg do.';
COMMENT ON COLUMN fsgov.segments.evidence IS 'Digest of each of its consents as they were when it was opened, by id (fsgov/evidence.py): a row altered since is told by recordings verify.';
COMMENT ON COLUMN fsgov.segments.parties IS 'Everybody who could be heard in it, by ordinal. Empty: nobody noted it (adopted, or of an older fsgov).';
COMMENT ON COLUMN fsgov.segments.audio_sha256 IS 'Of the WAV exactly as the switch wrote it: what an export must give back.';
COMMENT ON COLUMN fsgov.segments.start_lost_ms IS
    'What the start of the file lacks: how long the recording was allowed and wanted (since the answer, the consent, the act that asked for it, the end of the segment before) when its first frame was taken. 0 where it was armed. Null: govern did not see it begin.';
COMMENT ON COLUMN fsgov.segments.lost_ms IS
    'What the end of the file lacks: reported_ms less ms, or (reported_ms null: the switch died) at most so much. Null: nothing tells.';
COMMENT ON COLUMN fsgov.segments.mask_proof IS 'proven: every masked interval is silent in the audio. failed: one is not (then quarantined). none: nothing was masked.';
COMMENT ON COLUMN fsgov.segments.adopted IS
    'Empty: fsgov opened it. Else reconcile adopted it: spool (a file that nobody accounted for; its name is in provenance), forgotten (its sidecar was never handed over), vault (an object that had no row: audio_sha256 and all that is inside is unknown; adopt_object), lost (found nowhere, so the row is missing; miss_segment). What was adopted with audio is quarantined, as nobody knows what was paused in it.';
COMMENT ON COLUMN fsgov.segments.sealed_to IS
    'The age recipient of the segment''s own identity: whoever attaches an artefact seals to it, and cannot open. Null where nothing was sealed here (missing, or adopted from a vault).';
COMMENT ON COLUMN fsgov.segments.leg_holds IS 'When the telephone was on hold and the file stood still. Not a legal hold.';

CREATE TABLE fsgov.segment_keys (
    segment     text PRIMARY KEY REFERENCES fsgov.segments,
    tenant      text NOT NULL,
    wrapped_key bytea NOT NULL,
    recipients  text[] NOT NULL,
    entered_at  timestamptz NOT NULL DEFAULT now(),
    rotation         text,
    prior_key        bytea,
    prior_recipients text[],
    prior_version    text,
    CHECK ((rotation IS NULL) = (prior_key IS NULL) AND (rotation IS NULL) = (prior_recipients IS NULL))
);
CREATE INDEX segment_keys_unconfirmed ON fsgov.segment_keys (rotation, segment) WHERE rotation IS NOT NULL;
COMMENT ON TABLE fsgov.segment_keys IS
    'The identity of each segment, itself sealed to the recipients of its vault. Nobody can SELECT here: release_key gives one out after its access has been committed, release_batch those of a rotation. Back this table up apart, with a short horizon.';
COMMENT ON COLUMN fsgov.segment_keys.recipients IS 'Fingerprints of whom it is sealed to. Empty: nobody knows (adopt_object).';
COMMENT ON COLUMN fsgov.segment_keys.rotation IS
    'Null: nothing is pending. Set by wrapped_batch: this rotation has sealed it anew, and what it was before is kept until another login has opened the new one (confirm_batch) or it is put back (undo_rotation).';
COMMENT ON COLUMN fsgov.segment_keys.prior_key IS 'As it was sealed before that rotation; with prior_recipients, and its version in the key bucket.';

-- -- rotation of keys --------------------------------------------------------------------------------------

CREATE TABLE fsgov.rotations (
    id          text PRIMARY KEY,
    tenant      text NOT NULL DEFAULT '*',
    vault       text NOT NULL CHECK (vault <> ''),
    recipients  text[] NOT NULL CHECK (cardinality(recipients) > 0),
    reason      text NOT NULL CHECK (reason <> ''),
    asked_by    text NOT NULL REFERENCES fsgov.people,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    approved_by text REFERENCES fsgov.people,
    approved_at timestamptz,
    ended_by    text REFERENCES fsgov.people,
    ended_at    timestamptz,
    ended_as    text CHECK (ended_as IN ('confirmed', 'undone')),
    CHECK (approved_by IS DISTINCT FROM asked_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_as IS NULL))
);
CREATE UNIQUE INDEX rotations_open ON fsgov.rotations (vault) WHERE ended_at IS NULL;
COMMENT ON TABLE fsgov.rotations IS
    'The wrapped keys of a vault are sealed to other recipients. ask_rotation writes it, approve_rotation by another login lets keys out, end_rotation or undo_rotation ends it. One at a time for a vault.';
COMMENT ON COLUMN fsgov.rotations.recipients IS 'Fingerprints: exactly these, for every key of the vault.';
COMMENT ON COLUMN fsgov.rotations.approved_at IS 'Null: asked for, no key leaves. Set by approve_rotation.';
COMMENT ON COLUMN fsgov.rotations.ended_as IS
    'Null: not ended. confirmed: every key is sealed to these recipients, and another login has opened each (end_rotation). undone: what was not confirmed is as before (undo_rotation).';

CREATE TABLE fsgov.rotation_batches (
    rotation    text NOT NULL REFERENCES fsgov.rotations,
    n           integer NOT NULL CHECK (n > 0),
    tenant      text NOT NULL DEFAULT '*',
    step        text NOT NULL CHECK (step IN ('wrap', 'confirm')),
    segments    text[] NOT NULL,
    person      text NOT NULL REFERENCES fsgov.people,
    login       name NOT NULL,
    xact        xid8 NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz,
    settled_at  timestamptz,
    settled     integer,
    PRIMARY KEY (rotation, n)
);
COMMENT ON TABLE fsgov.rotation_batches IS
    'Which wrapped keys a rotation gave out, to whom: an access to each of these segments. Written by rotation_batch, before any of them leaves.';
COMMENT ON COLUMN fsgov.rotation_batches.step IS 'wrap: to be sealed anew. confirm: the new ones, to be opened by another login.';
COMMENT ON COLUMN fsgov.rotation_batches.xact IS 'The transaction of rotation_batch: release_batch wants to see it committed.';
COMMENT ON COLUMN fsgov.rotation_batches.released_at IS 'Null: asked for. Set: given out, once (release_batch).';
COMMENT ON COLUMN fsgov.rotation_batches.settled IS
    'Null: given out, and nothing came back (a kill; asked for again in another batch). Else how many were written (wrapped_batch) or opened (confirm_batch).';

CREATE TABLE fsgov.masks (
    segment         text NOT NULL REFERENCES fsgov.segments,
    n               integer NOT NULL,
    tenant          text NOT NULL,
    by              text NOT NULL CHECK (by IN ('mask', 'cut')),
    from_ms         bigint NOT NULL,
    to_ms           bigint,
    asked_at        timestamptz,
    acknowledged_at timestamptz,
    ended_at        timestamptz,
    actor           text,
    PRIMARY KEY (segment, n)
);
COMMENT ON TABLE fsgov.masks IS 'Pauses: intervals of the file in ms (to_ms null: until its end), and when they were asked, acknowledged, ended. Written by enter_segment.';

CREATE TABLE fsgov.scrubs (
    segment      text NOT NULL REFERENCES fsgov.segments ON DELETE CASCADE,
    artefact     text NOT NULL DEFAULT '',
    tenant       text NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('intact', 'corrupted', 'truncated', 'missing', 'unlocked')),
    since        timestamptz NOT NULL DEFAULT now(),
    looked_at    timestamptz,
    locked_until timestamptz,
    lock_mode    text NOT NULL DEFAULT '',
    PRIMARY KEY (segment, artefact)
);
CREATE INDEX scrubs_faults ON fsgov.scrubs (verdict) WHERE verdict <> 'intact';
COMMENT ON TABLE fsgov.scrubs IS
    'What the last look at a stored object found. No row: nobody has looked yet. Written by scrubbed (keep) and mark_object (reconcile).';
COMMENT ON COLUMN fsgov.scrubs.verdict IS
    'intact: length and SHA-256 are those of the row. corrupted: another digest. truncated: another length. missing: no such version. unlocked: intact, but the lock that it had has gone, or become weaker, before its time.';
COMMENT ON COLUMN fsgov.scrubs.artefact IS 'Empty: the object of the segment itself. Else what was made of it.';
COMMENT ON COLUMN fsgov.scrubs.since IS 'Since when it is so.';
COMMENT ON COLUMN fsgov.scrubs.looked_at IS 'When keep last read it. Null: never; reconcile marked it, and keep looks next.';
COMMENT ON COLUMN fsgov.scrubs.locked_until IS 'The lock (with lock_mode) that the vault showed when it was last intact; null: none.';

CREATE TABLE fsgov.noted (
    kind     text NOT NULL,
    subject  text NOT NULL,
    tenant   text NOT NULL DEFAULT '*',
    noted_by text NOT NULL REFERENCES fsgov.people,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, subject)
);
COMMENT ON TABLE fsgov.noted IS
    'Differences that reconcile found and that a person has taken note of (note_difference): they are not told again. scrubbed takes a damaged-object away when the object is whole again.';

CREATE TABLE fsgov.provenance (
    segment  text PRIMARY KEY,
    tenant   text NOT NULL DEFAULT '*',
    found_as text NOT NULL,
    found_by text NOT NULL REFERENCES fsgov.people,
    found_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fsgov.provenance IS
    'The name of the file that became this segment (difference_resolved). It may hold a number: only for those who may see numbers. Its row of segments comes when ship has stored it.';

CREATE TABLE fsgov.policies (
    sha256     text PRIMARY KEY,
    tenant     text NOT NULL DEFAULT '*',
    version    text NOT NULL,
    text       text NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT now(),
    CHECK (sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex'))
);
COMMENT ON TABLE fsgov.policies IS
    'Every policy a call was decided by or that a person brought, immutable, under its own digest. Written by enter_policy (ship) and activate_policy.';

CREATE TABLE fsgov.activations (
    n            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant       text NOT NULL DEFAULT '*',
    sha256       text NOT NULL REFERENCES fsgov.policies,
    version      text NOT NULL,
    approval     text NOT NULL CHECK (approval IN ('none', 'two_persons')),
    two_persons  boolean NOT NULL,
    proposed_by  text NOT NULL REFERENCES fsgov.people,
    proposed_at  timestamptz NOT NULL DEFAULT now(),
    approved_by  text REFERENCES fsgov.people,
    activated_at timestamptz,
    CHECK (approved_by IS DISTINCT FROM proposed_by),
    CHECK (approval = 'none' OR two_persons),
    CHECK (CASE WHEN two_persons THEN (approved_by IS NULL) = (activated_at IS NULL)
                ELSE approved_by IS NULL AND activated_at IS NOT NULL END)
);
COMMENT ON TABLE fsgov.activations IS
    'Which policy has been in force since when, and by whom. In force is the highest n that was activated; before the first one it is the file of each host (policy.file). A row that was activated is never changed again, none is ever taken away.';
COMMENT ON COLUMN fsgov.activations.approval IS
    'What this document asks for, from itself and from whatever comes in its place: its key approval.';
COMMENT ON COLUMN fsgov.activations.two_persons IS
    'It took, or takes, a second login: this document or the one that was in force asks for it (activate_policy).';
COMMENT ON COLUMN fsgov.activations.activated_at IS
    'Null: proposed (activate_policy), and waits for approve_policy by another login as long as no higher n is there; then it is superseded for good. Set: came into force, at once (activate_policy) or with the approval (approve_policy).';

CREATE TABLE fsgov.stops (
    id        text PRIMARY KEY,
    tenant    text NOT NULL CHECK (tenant <> ''),
    kind      text NOT NULL CHECK (kind IN ('number', 'tenant', 'host')),
    number    text,
    host      text,
    reason    text NOT NULL,
    placed_by text NOT NULL REFERENCES fsgov.people,
    placed_at timestamptz NOT NULL DEFAULT now(),
    lifted_by text REFERENCES fsgov.people,
    lifted_at timestamptz,
    CHECK (number IS NULL OR kind = 'number'),
    CHECK ((host IS NOT NULL) = (kind = 'host')),
    CHECK (kind <> 'host' OR tenant = '*'),
    CHECK (kind <> 'tenant' OR tenant <> '*'),
    CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE INDEX stops_in_force ON fsgov.stops (placed_at) WHERE lifted_at IS NULL;
COMMENT ON TABLE fsgov.stops IS
    'The kill switch: while lifted_at is null nothing is recorded of this number, tenant or host. Written by place_stop, ended by lift_stop.';
COMMENT ON COLUMN fsgov.stops.tenant IS 'Whose calls: of the one tenant, or * for every one.';
COMMENT ON COLUMN fsgov.stops.number IS
    'E.164, or as the switch gives it; without spaces. Only here: no line names it. Null where kind is another, or after an erasure.';

CREATE TABLE fsgov.accesses (
    id           text PRIMARY KEY,
    tenant       text NOT NULL,
    segment      text NOT NULL REFERENCES fsgov.segments,
    person       text NOT NULL REFERENCES fsgov.people,
    login        name NOT NULL,
    purpose      text NOT NULL,
    reason       text NOT NULL,
    recipient    text NOT NULL DEFAULT '',
    complaint    text NOT NULL DEFAULT '',
    xact         xid8 NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    released_at  timestamptz,
    CHECK ((purpose = 'complaint') = (complaint <> ''))
);
CREATE INDEX accesses_segment ON fsgov.accesses (segment);
COMMENT ON TABLE fsgov.accesses IS 'Who asked for a recording, for which purpose and why (free text stays here).';
COMMENT ON COLUMN fsgov.accesses.reason IS 'Free text; empty after an erasure, as it may name the person.';
COMMENT ON COLUMN fsgov.accesses.recipient IS 'Who is to get the copy, as the manifest beside it says; empty: nobody but the person who asked. Free text.';
COMMENT ON COLUMN fsgov.accesses.complaint IS 'The case (cases.id) that it is for, where the purpose is complaint; else empty.';
COMMENT ON COLUMN fsgov.accesses.xact IS 'The transaction of request_access: release_key wants to see it committed.';
COMMENT ON COLUMN fsgov.accesses.released_at IS 'Null: requested (request_access). Set: the key was given out, once (release_key).';

CREATE TABLE fsgov.refused_accesses (
    id         text PRIMARY KEY,
    tenant     text NOT NULL,
    segment    text NOT NULL,
    person     text NOT NULL REFERENCES fsgov.people,
    login      name NOT NULL,
    purpose    text NOT NULL,
    code       text NOT NULL,
    why        text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fsgov.refused_accesses IS
    'Who asked for a recording and did not get it. Written by refused_access, which the programs of fsgov call after a refusal; never changed.';
COMMENT ON COLUMN fsgov.refused_accesses.tenant IS
    'Of the recording, where this login may see it; else the one tenant of the person, or *.';
COMMENT ON COLUMN fsgov.refused_accesses.segment IS
    'As it was asked for: there need not be such a recording, or it is of another tenant. Empty: that was no id.';
COMMENT ON COLUMN fsgov.refused_accesses.purpose IS 'As it was asked for; empty: that was no name of a purpose.';
COMMENT ON COLUMN fsgov.refused_accesses.code IS
    'FG403: not for this login, or not for this purpose. FG404: nothing there that it may see. FG409: not now. FG422: something was missing.';
COMMENT ON COLUMN fsgov.refused_accesses.why IS 'What the database answered.';

-- -- event log -------------------------------------------------------------------------------------------

CREATE TABLE fsgov.origins (
    origin      text PRIMARY KEY,
    tenant      text NOT NULL DEFAULT '*',
    part        text NOT NULL CHECK (part IN ('govern', 'ship', 'keep', 'desk')),
    entered_n   bigint NOT NULL DEFAULT 0,
    sequenced_n bigint NOT NULL DEFAULT 0,
    since       timestamptz NOT NULL DEFAULT now(),
    CHECK (sequenced_n <= entered_n)
);
CREATE INDEX origins_waiting ON fsgov.origins (origin) WHERE sequenced_n < entered_n;
COMMENT ON TABLE fsgov.origins IS 'Who writes lines: <host>.<part>.<start ms>, or the id of a person at a desk.';
COMMENT ON COLUMN fsgov.origins.entered_n IS 'Lines 1 to this one are in outbox or event_log (enter_lines, and the functions of people).';
COMMENT ON COLUMN fsgov.origins.sequenced_n IS 'Lines 1 to this one are in event_log (sequence).';

CREATE TABLE fsgov.outbox (
    origin     text NOT NULL REFERENCES fsgov.origins,
    n          bigint NOT NULL CHECK (n > 0),
    tenant     text NOT NULL DEFAULT '*',
    line       bytea NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin, n)
);
COMMENT ON TABLE fsgov.outbox IS
    'Lines that wait for the sequencer. Written in the transaction of what they tell; moved to event_log by sequence (keep).';

CREATE TABLE fsgov.log (
    log_id       text PRIMARY KEY,
    tenant       text NOT NULL DEFAULT '*',
    opened_at    timestamptz NOT NULL DEFAULT now(),
    prior_log_id text,
    prior_size   bigint,
    prior_root   bytea
);
COMMENT ON TABLE fsgov.log IS 'Logs of this installation; the newest is written. A second one is opened only after a restore, and names the last checkpoint of the one before.';

CREATE TABLE fsgov.event_log (
    log_id     text NOT NULL REFERENCES fsgov.log,
    seq        bigint NOT NULL CHECK (seq >= 0),
    tenant     text NOT NULL DEFAULT '*',
    origin     text NOT NULL,
    n          bigint NOT NULL,
    line       bytea NOT NULL,
    leaf       bytea NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log_id, seq),
    UNIQUE (origin, n)
);
-- what a replay of a decision looks for among all lines
CREATE INDEX event_log_decided ON fsgov.event_log (substring(encode(line, 'escape') FROM '"subject":"([^"]*)"'))
    WHERE position('"type":"fsgov.call.decided.v1"'::bytea IN line) > 0;
-- what the report of accesses looks for
CREATE INDEX event_log_accesses ON fsgov.event_log (entered_at) WHERE position('"type":"fsgov.access.'::bytea IN line) > 0;
COMMENT ON TABLE fsgov.event_log IS 'The log. Written by sequence (keep) only, never changed.';
COMMENT ON COLUMN fsgov.event_log.seq IS 'Leaf index from 0, without gaps: the order of entry, not of occurrence. Within an origin both are the same.';
COMMENT ON COLUMN fsgov.event_log.leaf IS 'SHA-256 of 0x00 and the line (RFC 6962).';

CREATE TABLE fsgov.checkpoints (
    log_id   text NOT NULL REFERENCES fsgov.log,
    size     bigint NOT NULL CHECK (size > 0),
    tenant   text NOT NULL DEFAULT '*',
    root     bytea NOT NULL,
    frontier bytea NOT NULL,
    note     text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log_id, size)
);
COMMENT ON TABLE fsgov.checkpoints IS 'Signed states of the log (C2SP note). Written by store_checkpoint (keep), never changed.';
COMMENT ON COLUMN fsgov.checkpoints.frontier IS 'Roots of the complete subtrees, 32 bytes each, largest first: where the sequencer goes on after a restart.';

CREATE TABLE fsgov.sinks (
    sink       text NOT NULL,
    log_id     text NOT NULL REFERENCES fsgov.log,
    tenant     text NOT NULL DEFAULT '*',
    size       bigint NOT NULL,
    reached_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sink, log_id)
);
COMMENT ON TABLE fsgov.sinks IS 'How many lines each sink has had, for status. The sink itself knows where to go on. Written by sink_reached (keep).';

CREATE TABLE fsgov.keepers (
    host     text PRIMARY KEY,
    tenant   text NOT NULL DEFAULT '*',
    alarms   jsonb NOT NULL,
    heard_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fsgov.keepers IS 'The keep of each host that has one: its sign of life, for status and for govern. Written by keep_says (keep).';
COMMENT ON COLUMN fsgov.keepers.alarms IS 'Alarm that is up -> its reason.';
COMMENT ON COLUMN fsgov.keepers.heard_at IS 'When its loop last went round, to ten seconds.';

CREATE TABLE fsgov.session_counts (
    origin     text NOT NULL,
    n          bigint NOT NULL,
    tenant     text NOT NULL DEFAULT '*',
    host       text NOT NULL,
    core       text NOT NULL,
    at         timestamptz NOT NULL,
    sessions   bigint NOT NULL,
    ungoverned bigint NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin, n)
);
CREATE INDEX session_counts_at ON fsgov.session_counts (host, core, at);
COMMENT ON TABLE fsgov.session_counts IS
    'What the switch itself had counted by then (Session-Since-Startup of each Core-UUID): lines sessions.counted, as rows. Written by enter_lines.';
COMMENT ON COLUMN fsgov.session_counts.origin IS 'The govern that was told: another one may have missed what was between.';
COMMENT ON COLUMN fsgov.session_counts.ungoverned IS 'Sessions which that govern knew by then that it had not seen.';

CREATE TABLE fsgov.statements (
    day       date NOT NULL,
    host      text NOT NULL,
    tenant    text NOT NULL,
    n         integer NOT NULL CHECK (n > 0),
    facts     jsonb NOT NULL,
    stated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, host, tenant, n)
);
COMMENT ON TABLE fsgov.statements IS
    'The daily statement (UTC): what the log says of a day, by host and tenant; tenant * is that of the sessions. Written by enter_statement (keep) with its line. What comes later is a further row, never a change.';
COMMENT ON COLUMN fsgov.statements.n IS '1, and one more for each correction: the highest one counts.';

CREATE TABLE fsgov.erased (
    segment     text PRIMARY KEY,
    tenant      text NOT NULL DEFAULT '*',
    noted_at    timestamptz NOT NULL DEFAULT now(),
    plan        text,
    cause       text,
    proposed_by text,
    approved_by text,
    key_sha256  text,
    recipients  text[] NOT NULL DEFAULT '{}',
    versions    jsonb NOT NULL DEFAULT '[]',
    keys_at     timestamptz,
    restored    boolean NOT NULL DEFAULT false,
    why         text NOT NULL DEFAULT '',
    again_at    timestamptz
);
COMMENT ON TABLE fsgov.erased IS
    'Segments whose destruction has begun (begin_destruction), or that the ledger (erased/ in the key buckets) names after a restore (apply_ledger): no spool may bring them back.';

CREATE TABLE fsgov.retold (
    subject text NOT NULL,
    type    text NOT NULL,
    tenant  text NOT NULL DEFAULT '*',
    PRIMARY KEY (subject, type)
);
COMMENT ON TABLE fsgov.retold IS
    'After a restore: what lines of the lost part of the log tell that ship had entered with rows. enter_again puts those lines back, so that ship, entering the rows again, does not tell it twice.';


-- -- retention: anchors, and which policy's periods count --------------------------------------------------

CREATE TABLE fsgov.anchors (
    call   text NOT NULL REFERENCES fsgov.calls,
    event  text NOT NULL CHECK (event IN ('contract_end', 'last_activity', 'case_closed')),
    tenant text NOT NULL,
    at     timestamptz,
    set_by text REFERENCES fsgov.people,
    set_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call, event),
    CHECK (at IS NOT NULL OR set_by IS NOT NULL)
);
COMMENT ON TABLE fsgov.anchors IS
    'When something happened (or will) that a period of a policy starts from. Without a row the fallback counts. Written by set_anchor, and from what the CRM told of a call by enter_call; each time a line says so (anchor.set, anchor.found).';
COMMENT ON COLUMN fsgov.anchors.set_by IS 'The person whose word it is. Null: the CRM''s, as the call''s file has it; a person''s word is never changed by that.';
COMMENT ON COLUMN fsgov.anchors.call IS 'The call, and with it every call that was merged into it.';
COMMENT ON COLUMN fsgov.anchors.at IS 'May lie ahead. A day before the end of the call counts as that day. Null: a person says that nobody knows, and the fallback counts.';

CREATE TABLE fsgov.periods (
    policy        text NOT NULL REFERENCES fsgov.policies,
    purpose       text NOT NULL,
    tenant        text NOT NULL DEFAULT '*',
    basis         text NOT NULL,
    timezone      text NOT NULL,
    retain_min    interval NOT NULL,
    retain_max    interval NOT NULL,
    anchor        text NOT NULL,
    anchor_plus   interval NOT NULL,
    fallback_plus interval,
    entered_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (policy, purpose)
);
COMMENT ON TABLE fsgov.periods IS
    'What the text of a stored policy says about how long, so that the database can tell which purposes are over. Written once for each policy by enter_periods (keep), never changed.';
COMMENT ON COLUMN fsgov.periods.anchor IS 'What the period starts from: call_end, or an event of anchors; anchor_plus later.';
COMMENT ON COLUMN fsgov.periods.fallback_plus IS 'While the event of anchor is not set: so long after the call. Null where anchor is call_end.';

CREATE TABLE fsgov.retention_moves (
    n           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      text NOT NULL DEFAULT '*',
    from_sha256 text[] NOT NULL CHECK (cardinality(from_sha256) > 0),
    to_sha256   text NOT NULL REFERENCES fsgov.policies,
    reason      text NOT NULL CHECK (reason <> ''),
    proposed_by text NOT NULL REFERENCES fsgov.people,
    proposed_at timestamptz NOT NULL DEFAULT now(),
    approved_by text REFERENCES fsgov.people,
    applied_at  timestamptz,
    CHECK (approved_by IS DISTINCT FROM proposed_by),
    CHECK ((approved_by IS NULL) = (applied_at IS NULL))
);
COMMENT ON TABLE fsgov.retention_moves IS
    'Recordings are judged by the policy they were captured under, or by the one that the highest n applied to it says. A row that was applied is never changed, none is ever taken away.';
COMMENT ON COLUMN fsgov.retention_moves.from_sha256 IS 'Policies they were captured under, in the catalog or not.';
COMMENT ON COLUMN fsgov.retention_moves.to_sha256 IS 'Whose periods count for them. The same one as they were captured under: as if none had been applied.';
COMMENT ON COLUMN fsgov.retention_moves.applied_at IS
    'Null: proposed (propose_retention), and waits for approve_retention by another login as long as no higher n is there. Set: counts since then (approve_retention).';


-- -- holds and cases ---------------------------------------------------------------------------------------

CREATE TABLE fsgov.holds (
    id          text PRIMARY KEY,
    tenant      text NOT NULL CHECK (tenant <> ''),
    matter      text NOT NULL CHECK (matter <> ''),
    custodian   text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    placed_by   text NOT NULL REFERENCES fsgov.people,
    placed_at   timestamptz NOT NULL DEFAULT now(),
    asked_by    text REFERENCES fsgov.people,
    asked_at    timestamptz,
    asked_why   text NOT NULL DEFAULT '',
    released_by text REFERENCES fsgov.people,
    released_at timestamptz,
    lost        boolean NOT NULL DEFAULT false,
    CHECK ((asked_by IS NULL) = (asked_at IS NULL)),
    CHECK ((released_by IS NULL) = (released_at IS NULL)),
    CHECK (released_by IS NULL OR asked_by IS NOT NULL),
    CHECK (released_by <> asked_by)
);
CREATE INDEX holds_in_force ON fsgov.holds (placed_at) WHERE released_at IS NULL;
CREATE INDEX holds_lost ON fsgov.holds (id) WHERE lost AND released_at IS NULL;
COMMENT ON TABLE fsgov.holds IS
    'Legal holds. While released_at is null nothing that it has reached may be destroyed, by any path. Written by place_hold and open_case.';
COMMENT ON COLUMN fsgov.holds.tenant IS 'Whose recordings it reaches: those of the one tenant, or * for every one.';
COMMENT ON COLUMN fsgov.holds.custodian IS 'Who answers for it in the company: a name or an office.';
COMMENT ON COLUMN fsgov.holds.asked_by IS
    'Who asked for its release (ask_release); null: nobody, or what was asked was refused (refuse_release), or the hold has grown since (add_to_hold).';
COMMENT ON COLUMN fsgov.holds.released_at IS
    'Null: in force. Set, for good, by approve_release: with the approval of another login than that of asked_by.';
COMMENT ON COLUMN fsgov.holds.lost IS
    'A restore has lost what it is about, or some of it, so it is on everything of its tenant until it is released: placed again by people as another, first. Written by lost_holds.';

CREATE TABLE fsgov.hold_items (
    hold   text NOT NULL REFERENCES fsgov.holds,
    n      integer NOT NULL,
    tenant text NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('call', 'segment', 'number', 'subject', 'query', 'case')),
    value  text NOT NULL DEFAULT '',
    forms  text[] NOT NULL DEFAULT '{}',
    filter jsonb,
    PRIMARY KEY (hold, n),
    CHECK ((kind = 'query') = (filter IS NOT NULL)),
    CHECK ((kind = 'number' OR filter ? 'number') = (forms <> '{}'))
);
CREATE INDEX hold_items_value ON fsgov.hold_items (kind, value);
CREATE INDEX hold_items_forms ON fsgov.hold_items USING gin (forms);
COMMENT ON TABLE fsgov.hold_items IS
    'What a hold is about; never changed, never taken away. It reaches what fits any of them: what is there, and what comes. Written by place_hold, open_case, add_to_hold.';
COMMENT ON COLUMN fsgov.hold_items.kind IS
    'call: that conversation, whatever it was merged into, and what parted from it. segment: that recording alone. number: calls with a party of that number. subject: calls with a party that the CRM calls so, as subject find has it (the value of a fact, NAME=VALUE, or its reference for the consents). query: calls that fit the filter. case: what the hold of that case is about, was or will be, and has reached.';
COMMENT ON COLUMN fsgov.hold_items.forms IS 'How a switch may give the number, also of a query (number_forms).';
COMMENT ON COLUMN fsgov.hold_items.filter IS 'Of kind query: its conditions (filter_where). Its instants are absolute, as they were when it was placed.';

CREATE TABLE fsgov.hold_sources (
    hold   text NOT NULL REFERENCES fsgov.holds,
    source text NOT NULL REFERENCES fsgov.holds,
    tenant text NOT NULL,
    PRIMARY KEY (hold, source)
);
CREATE INDEX hold_sources_source ON fsgov.hold_sources (source, hold);
COMMENT ON TABLE fsgov.hold_sources IS
    'Whose items count for a hold: its own, those of the holds of the cases that it is about, and so on. Written by take_items.';

CREATE TABLE fsgov.hold_calls (
    call    text NOT NULL,
    hold    text NOT NULL REFERENCES fsgov.holds,
    tenant  text NOT NULL,
    follows boolean NOT NULL DEFAULT false,
    since   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call, hold)
);
CREATE INDEX hold_calls_hold ON fsgov.hold_calls (hold, call);
COMMENT ON TABLE fsgov.hold_calls IS
    'Calls that a hold has reached, whatever becomes of their rows afterwards: a number that is erased, a tag or an outcome that is another now, releases nothing. Written when the hold is placed or grows (reach), and when a call is entered or changes (reach_call).';
COMMENT ON COLUMN fsgov.hold_calls.follows IS 'It came by kind call: what this call merges into, and what parts from it, is reached as well.';

CREATE TABLE fsgov.hold_segments (
    segment text NOT NULL,
    hold    text NOT NULL REFERENCES fsgov.holds,
    tenant  text NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (segment, hold)
);
CREATE INDEX hold_segments_hold ON fsgov.hold_segments (hold, segment);
COMMENT ON TABLE fsgov.hold_segments IS 'Recordings that a hold names one by one (items of kind segment). Written by reach.';

CREATE TABLE fsgov.cases (
    id        text PRIMARY KEY,
    tenant    text NOT NULL,
    reference text NOT NULL CHECK (reference <> ''),
    hold      text NOT NULL UNIQUE REFERENCES fsgov.holds,
    opened_by text NOT NULL REFERENCES fsgov.people,
    opened_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fsgov.cases IS
    'Complaints. Each one is a hold on what it is about (open_case), and is closed when that hold is released.';
COMMENT ON COLUMN fsgov.cases.reference IS 'Its name in the help desk: free text, only here.';

CREATE TABLE fsgov.mirrors (
    segment   text PRIMARY KEY,
    tenant    text NOT NULL,
    due       timestamptz,
    held      boolean NOT NULL DEFAULT false,
    objects   integer NOT NULL DEFAULT 0,
    unable    text[] NOT NULL DEFAULT '{}',
    why       text NOT NULL DEFAULT '',
    tries     integer NOT NULL DEFAULT 0,
    looked_at timestamptz
);
CREATE INDEX mirrors_due ON fsgov.mirrors (due, segment) WHERE due IS NOT NULL;
CREATE INDEX mirrors_failing ON fsgov.mirrors (tries) WHERE why <> '';
COMMENT ON TABLE fsgov.mirrors IS
    'Legal holds of object stores, as keep sets them on every version of what is held, and lifts them after. A row for each segment that a hold has reached. Written when a hold reaches it or is released (mirror_due_of), and by mirrored (keep).';
COMMENT ON COLUMN fsgov.mirrors.due IS 'When keep looks at it next: at once where something has changed, a week later where all is as it should be. Null: no hold, and no legal hold.';
COMMENT ON COLUMN fsgov.mirrors.held IS 'Versions of it showed their legal hold at the last look (mirrored); false: none did, or they were lifted.';
COMMENT ON COLUMN fsgov.mirrors.unable IS 'Buckets that can hold nothing, as vault.NAME: a directory, one without object lock, or whose login of keep may not.';
COMMENT ON COLUMN fsgov.mirrors.why IS 'Why it did not work, tried that many times in a row. Empty: it did.';

CREATE TABLE fsgov.reviews (
    segment   text NOT NULL,
    n         integer NOT NULL CHECK (n > 0),
    tenant    text NOT NULL,
    act       text NOT NULL CHECK (act IN ('set', 'reminded', 'kept', 'disposed', 'ended')),
    reason    text NOT NULL DEFAULT '',
    person    text REFERENCES fsgov.people,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (segment, n),
    CHECK ((person IS NULL) = (act IN ('reminded', 'ended')))
);
CREATE INDEX segments_in_quarantine ON fsgov.segments (review_by) WHERE state = 'quarantined' AND NOT dispose;
COMMENT ON TABLE fsgov.reviews IS
    'What became of recordings in quarantine, never changed. No reference to segments: reconcile may enter one again.';
COMMENT ON COLUMN fsgov.reviews.act IS
    'set: a person sent it there (set_quarantine). reminded: three quarters of the time to review it are over (remind_quarantines, keep). kept, disposed: what the reviewer decided (release_quarantine). ended: nobody had reviewed it by review_by, so it is to be destroyed (end_quarantines, keep).';

CREATE VIEW fsgov.holding AS
    SELECT h.id AS hold, h.tenant, CASE WHEN o.source = h.id THEN i.n ELSE 0 END AS n, i.kind, i.value, i.forms, i.filter
    FROM fsgov.holds h JOIN fsgov.hold_sources o ON o.hold = h.id JOIN fsgov.hold_items i ON i.hold = o.source
    WHERE h.released_at IS NULL AND i.kind <> 'case';
COMMENT ON VIEW fsgov.holding IS 'Items of the holds in force, those of their cases among them (n is 0). For the functions; granted to nobody.';

CREATE INDEX parties_key ON fsgov.parties
    ((coalesce(nullif(ltrim(translate(number, '+ ()./-', ''), '0'), ''), number)));
CREATE INDEX calls_parted ON fsgov.calls (parted_from) WHERE parted_from IS NOT NULL;


-- -- purge: plans, certificates ----------------------------------------------------------------------------

CREATE TABLE fsgov.schedules (
    id          text PRIMARY KEY,
    tenant      text NOT NULL CHECK (tenant <> ''),
    every       text NOT NULL CHECK (every IN ('day', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')),
    at          time(0) NOT NULL,
    timezone    text NOT NULL,
    causes      text[] NOT NULL CHECK (causes <> '{}' AND causes <@ '{expired,dispose,unreviewed,in_review}'),
    grace_days  integer NOT NULL CHECK (grace_days BETWEEN 0 AND 3650),
    most        bigint NOT NULL CHECK (most > 0),
    reason      text NOT NULL DEFAULT '',
    sha256      text NOT NULL,
    proposed_by text NOT NULL REFERENCES fsgov.people,
    proposed_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    approved_by text REFERENCES fsgov.people,
    approved_at timestamptz,
    ended_by    text REFERENCES fsgov.people,
    ended_at    timestamptz,
    ended_for   text NOT NULL DEFAULT '',
    CHECK (approved_by <> proposed_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL))
);
COMMENT ON TABLE fsgov.schedules IS
    'A standing plan: one person proposed it (propose_schedule), another approved it (approve_schedule), and until it expires or somebody ends it (end_schedule) keep makes a plan of retention each time it is due. Never changed otherwise: another time, another size is another schedule.';
COMMENT ON COLUMN fsgov.schedules.tenant IS 'Whose recordings: of the one tenant, or * for those of several.';
COMMENT ON COLUMN fsgov.schedules.every IS 'day, or the day of the week, on the calendar of its timezone.';
COMMENT ON COLUMN fsgov.schedules.at IS 'When on that day, by the clocks of its timezone (due_times). Once a day also where they show this time twice or never.';
COMMENT ON COLUMN fsgov.schedules.causes IS
    'Which due recordings it takes: expired (every purpose is over), dispose (refused, withdrawn, so decided), unreviewed (its quarantine is over), in_review (every purpose is over, and it is in quarantine).';
COMMENT ON COLUMN fsgov.schedules.grace_days IS 'Only what has been past its time for so many days.';
COMMENT ON COLUMN fsgov.schedules.most IS 'The blast radius of each run: one that finds more destroys nothing (schedule_runs.came = refused).';
COMMENT ON COLUMN fsgov.schedules.sha256 IS 'Of all that it says (schedule_digest): what is approved, and compared before each run.';
COMMENT ON COLUMN fsgov.schedules.expires_at IS 'At most a year after it was proposed; nothing runs from then on.';
COMMENT ON COLUMN fsgov.schedules.ended_at IS 'Somebody of privacy or a supervisor has ended it (end_schedule), why says ended_for. Null: nobody has.';

CREATE TABLE fsgov.schedule_runs (
    schedule text NOT NULL REFERENCES fsgov.schedules,
    due_at   timestamptz NOT NULL,
    tenant   text NOT NULL,
    ran_at   timestamptz NOT NULL DEFAULT now(),
    came     text NOT NULL CHECK (came IN ('planned', 'nothing', 'refused', 'busy')),
    found    bigint NOT NULL DEFAULT 0,
    plan     text,
    PRIMARY KEY (schedule, due_at),
    CHECK ((plan IS NOT NULL) = (came = 'planned'))
);
COMMENT ON TABLE fsgov.schedule_runs IS
    'Each time that a schedule ran: one row for a due time, in the transaction that makes its plan. Of due times that passed while no keep was there only the last one has a row.';
COMMENT ON COLUMN fsgov.schedule_runs.came IS
    'planned: an approved plan (end_run). nothing: nothing was due (end_run). refused: more was due than the schedule may take, and nothing is destroyed (end_run). busy: another plan of retention of that tenant was under way (begin_run).';
COMMENT ON COLUMN fsgov.schedule_runs.found IS 'How many recordings were due; 0 where nobody looked (busy).';

CREATE TABLE fsgov.plans (
    id          text PRIMARY KEY,
    tenant      text NOT NULL CHECK (tenant <> ''),
    kind        text NOT NULL CHECK (kind IN ('retention', 'erasure', 'quarantine', 'manual')),
    schedule    text REFERENCES fsgov.schedules,
    reason      text NOT NULL DEFAULT '',
    state       text NOT NULL CHECK (state IN ('draft', 'proposed', 'approved', 'applying', 'waiting', 'done', 'stopped')),
    items       bigint NOT NULL DEFAULT 0,
    size        bigint NOT NULL DEFAULT 0,
    causes      jsonb NOT NULL DEFAULT '{}',
    facts       jsonb NOT NULL DEFAULT '{}',
    most        bigint NOT NULL CHECK (most > 0),
    sha256      text,
    proposed_by text NOT NULL REFERENCES fsgov.people,
    proposed_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    approved_by text REFERENCES fsgov.people,
    approved_at timestamptz,
    begun_at    timestamptz,
    canary_at   timestamptz,
    ended_at    timestamptz,
    stopped_by  text REFERENCES fsgov.people,
    stopped_for text NOT NULL DEFAULT '',
    CHECK (approved_by IS DISTINCT FROM proposed_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK (approved_by IS NOT NULL OR state IN ('draft', 'proposed', 'stopped')),
    CHECK (sha256 IS NOT NULL OR state = 'draft')
);
CREATE INDEX plans_open ON fsgov.plans (proposed_at) WHERE state IN ('proposed', 'approved', 'applying', 'waiting');
COMMENT ON TABLE fsgov.plans IS
    'What is to be destroyed, as one person proposed and another approved it. Nothing is destroyed but by a plan.';
COMMENT ON COLUMN fsgov.plans.tenant IS 'Whose recordings: of the one tenant, or * for those of several.';
COMMENT ON COLUMN fsgov.plans.kind IS
    'retention: what the periods of its policies say, judged once more before it is destroyed. erasure: a person asked for it; what is held waits for its release, whenever that is. quarantine: its review came to an end, which is looked at once more too. manual: named by hand.';
COMMENT ON COLUMN fsgov.plans.schedule IS 'The schedule whose two persons are those of this plan: keep made it (begin_run, end_run). Null: a person did.';
COMMENT ON COLUMN fsgov.plans.state IS
    'draft: items are being added (draft_plan or begin_run, add_to_plan); proposed: no item any more, hashed (seal_plan); approved: by another login (approve_plan), or as its schedule was (end_run); applying: keep has begun (begin_plan); waiting: of an erasure, all but what is held or locked is done (end_plan); done: every item has come to its end (end_plan); stopped: by a person (stop_plan) or by keep, which names why (halt_plan). proposed and approved plans whose expires_at has passed are dead, whatever this says.';
COMMENT ON COLUMN fsgov.plans.causes IS 'How many items of each cause.';
COMMENT ON COLUMN fsgov.plans.facts IS 'What its author was shown besides: how many recordings were judged, kept, held.';
COMMENT ON COLUMN fsgov.plans.most IS 'The blast radius: a plan of more items is refused, and no more are ever destroyed by it.';
COMMENT ON COLUMN fsgov.plans.sha256 IS 'Of kind, tenant, most, expires_at and all items (plan_digest): what is approved, and compared before it begins.';
COMMENT ON COLUMN fsgov.plans.expires_at IS 'Not approved, begun or gone on with after this; but what an erasure found held is still to be done.';
COMMENT ON COLUMN fsgov.plans.canary_at IS 'When the first few were destroyed, all of them provably; the others follow some time after. Null: not yet.';
COMMENT ON COLUMN fsgov.plans.stopped_for IS 'Why it was stopped: a word of keep, or a text of a person.';

CREATE TABLE fsgov.plan_items (
    plan     text NOT NULL,
    segment  text NOT NULL,
    tenant   text NOT NULL,
    cause    text NOT NULL CHECK (cause ~ '^[a-z][a-z_-]{0,31}$'),
    size     bigint NOT NULL,
    state    text NOT NULL DEFAULT 'planned' CHECK (state IN
                 ('planned', 'held', 'scheduled', 'kept', 'gone', 'destroying', 'destroyed')),
    why      text NOT NULL DEFAULT '',
    again_at timestamptz,
    PRIMARY KEY (plan, segment)
);
COMMENT ON TABLE fsgov.plan_items IS
    'The recordings of each plan. No reference to plans or segments: a million are entered at once, and only add_to_plan does.';
COMMENT ON COLUMN fsgov.plan_items.cause IS 'Why, in a word: expired, refused, withdrawn, quarantine, erasure, named.';
COMMENT ON COLUMN fsgov.plan_items.state IS
    'planned: not yet (add_to_plan). held: a hold was in force when its turn came (begin_destruction). scheduled: the vault has it locked; not touched before again_at (put_off). kept: judged again, it is not due any more (put_off). gone: another plan destroys it, or it has no audio (begin_destruction). destroying: begun; it is only ever brought to its end (begin_destruction). destroyed: it has its certificate (certify).';
COMMENT ON COLUMN fsgov.plan_items.why IS 'Ids of the holds, or what a vault said; no personal data.';

CREATE TABLE fsgov.certificates (
    segment        text PRIMARY KEY REFERENCES fsgov.segments,
    tenant         text NOT NULL,
    plan           text,
    batch          text NOT NULL,
    place          integer NOT NULL,
    origin         text NOT NULL,
    n              bigint NOT NULL,
    batch_n        bigint NOT NULL,
    body           bytea NOT NULL,
    sha256         text NOT NULL CHECK (sha256 = encode(sha256(body), 'hex')),
    destroyed_at   timestamptz NOT NULL,
    complete_after timestamptz NOT NULL,
    UNIQUE (batch, place)
);
COMMENT ON TABLE fsgov.certificates IS
    'That a recording is destroyed, one for each: written by certify with the tombstone (its row in state destroyed), never changed.';
COMMENT ON COLUMN fsgov.certificates.body IS 'The exact bytes that the line segment.destroyed has the SHA-256 of.';
COMMENT ON COLUMN fsgov.certificates.batch IS 'Certified together; the line purge.certified has the Merkle root of all bodies by place, from 0.';
COMMENT ON COLUMN fsgov.certificates.n IS 'Its line segment.destroyed, of this origin; batch_n is the line purge.certified.';
COMMENT ON COLUMN fsgov.certificates.complete_after IS
    'By then the last copies of its key, in dumps of the database and in the spools, have aged out.';

CREATE INDEX erased_noted ON fsgov.erased (noted_at);
COMMENT ON COLUMN fsgov.erased.noted_at IS 'When its destruction began (begin_destruction), or when the ledger was applied.';
COMMENT ON COLUMN fsgov.erased.plan IS 'By which plan and why, and its two persons; null where only the ledger says that it was erased.';
COMMENT ON COLUMN fsgov.erased.key_sha256 IS 'Of the wrapped key, and whom it was wrapped to: its fingerprint in the certificate.';
COMMENT ON COLUMN fsgov.erased.versions IS
    'Every version of its objects that a vault listed, noted before it is removed (note_versions): [vault, bucket, key, version].';
COMMENT ON COLUMN fsgov.erased.keys_at IS 'When its wrapped keys were destroyed (destroy_keys). Null: not yet.';
COMMENT ON COLUMN fsgov.erased.again_at IS 'Its vault does not let go of it before (why says what): its key is gone, it is asked again then (destruction_waits).';
COMMENT ON COLUMN fsgov.erased.restored IS 'An older dump had brought it back, and it is destroyed again: its first certificate is older.';


CREATE TABLE fsgov.returned (
    segment    text NOT NULL,
    vault      text NOT NULL CHECK (vault <> ''),
    tenant     text NOT NULL CHECK (tenant <> ''),
    found_at   timestamptz NOT NULL DEFAULT now(),
    versions   jsonb,
    removed_at timestamptz,
    PRIMARY KEY (segment, vault, found_at)
);
CREATE UNIQUE INDEX returned_open ON fsgov.returned (segment, vault) WHERE removed_at IS NULL;
COMMENT ON TABLE fsgov.returned IS
    'Objects of destroyed recordings that a vault has again: a restored bucket, an upload that came late, a replica. Found by keep, or by reconcile (note_returned), and removed by keep.';
COMMENT ON COLUMN fsgov.returned.versions IS
    'Every version that the vault listed, noted before it is removed (begin_removal): [vault, bucket, key, version]. Null: nothing is removed yet.';
COMMENT ON COLUMN fsgov.returned.removed_at IS 'When the vault listed nothing of it any more (end_removal). Null: not yet; a hold may keep it.';


-- -- purge after a restore ---------------------------------------------------------------------------------

CREATE TABLE fsgov.restores (
    id          text PRIMARY KEY,
    tenant      text NOT NULL DEFAULT '*',
    taken_up_by text NOT NULL REFERENCES fsgov.people,
    taken_up_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    known_to    timestamptz,
    copied      boolean NOT NULL,
    asked_by    text REFERENCES fsgov.people,
    asked_at    timestamptz,
    asked_why   text NOT NULL DEFAULT '',
    resumed_by  text REFERENCES fsgov.people,
    resumed_at  timestamptz,
    CHECK ((asked_by IS NULL) = (asked_at IS NULL)),
    CHECK ((resumed_by IS NULL) = (resumed_at IS NULL)),
    CHECK (resumed_by IS NULL OR asked_by IS NOT NULL),
    CHECK (resumed_by <> asked_by)
);
COMMENT ON TABLE fsgov.restores IS
    'Each time that db restored has taken up an older dump (restore_begins). While resumed_at is null nothing begins to be destroyed, by any path: what was done since the dump to keep something may be missing.';
COMMENT ON COLUMN fsgov.restores.known_to IS
    'The time of the last checkpoint of the lost log. What people did after it is in no copy that is proven. Null: no checkpoint says.';
COMMENT ON COLUMN fsgov.restores.copied IS
    'Whether a copy of the lost lines was there: lost_acts has what they tell. False: nobody knows what people had done.';
COMMENT ON COLUMN fsgov.restores.asked_by IS 'Who has looked at what was lost, and says that purge may go on (ask_resume).';
COMMENT ON COLUMN fsgov.restores.resumed_at IS 'Null: purge waits. Set, for good, by another login (approve_resume).';

CREATE TABLE fsgov.lost_acts (
    id         text PRIMARY KEY,
    place      bigint GENERATED ALWAYS AS IDENTITY,
    restore    text NOT NULL REFERENCES fsgov.restores,
    tenant     text NOT NULL DEFAULT '*',
    type       text NOT NULL,
    subject    text NOT NULL,
    actor      text,
    at         timestamptz NOT NULL,
    facts      jsonb NOT NULL,
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redone', 'told', 'over', 'settled')),
    settled_by text REFERENCES fsgov.people,
    settled_at timestamptz,
    why        text NOT NULL DEFAULT '',
    CHECK ((state = 'settled') = (settled_by IS NOT NULL)),
    CHECK ((settled_by IS NULL) = (settled_at IS NULL))
);
CREATE INDEX lost_acts_open ON fsgov.lost_acts (place) WHERE state = 'open';
COMMENT ON TABLE fsgov.lost_acts IS
    'What people had done between the dump and the loss, as the lines of a copy of the log tell it (enter_again). id is the id of the line.';
COMMENT ON COLUMN fsgov.lost_acts.actor IS 'people.id, as the line has it; the person may be lost as well. Null: keep.';
COMMENT ON COLUMN fsgov.lost_acts.state IS
    'open: it may have kept something from being destroyed, and what it was about has not come back yet; purge waits for it. redone: the line says it all, and it is done again (redo_lost); a hold is in force again, on everything (lost_holds). told: nothing depends on it that could be destroyed; who wants it does it again. over: it had ended before the loss, or what it was about is gone or has a newer word. settled: a person has done it again, or says why not (settle_lost).';


-- -- copies in other vaults --------------------------------------------------------------------------------

CREATE TABLE fsgov.copies (
    id             text PRIMARY KEY,
    segment        text NOT NULL,
    tenant         text NOT NULL CHECK (tenant <> ''),
    vault          text NOT NULL CHECK (vault <> ''),
    state          text NOT NULL DEFAULT 'asked'
                   CHECK (state IN ('asked', 'copying', 'tried', 'stored', 'leaving', 'gone', 'refused')),
    moving         boolean NOT NULL DEFAULT false,
    object_key     text NOT NULL,
    version_id     text,
    key_version_id text,
    asked_by       text REFERENCES fsgov.people,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    xact           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    reason         text NOT NULL DEFAULT '',
    said           text NOT NULL DEFAULT '',
    again_at       timestamptz,
    stored_at      timestamptz,
    proven_at      timestamptz,
    damaged        text,
    gone_at        timestamptz,
    artefacts      jsonb NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX copies_one ON fsgov.copies (segment, vault) WHERE state NOT IN ('gone', 'refused');
CREATE INDEX copies_proven ON fsgov.copies (proven_at) WHERE state = 'stored';
CREATE INDEX copies_work ON fsgov.copies (asked_at) WHERE state IN ('asked', 'copying', 'tried', 'leaving');
COMMENT ON TABLE fsgov.copies IS
    'Where else than in the vault of its row a segment is stored, was, or is to be. Purge removes every version of each (objects_of). No reference to segments: what lies in a vault outlives a row.';
COMMENT ON COLUMN fsgov.copies.state IS
    'asked: a person (ask_copy), or a replica of the configuration (lack_of_replica), wants it; nothing was put. copying: keep puts it now (copy_begins), and the segment cannot be destroyed until that ends. tried: it did not work, some of it may be there, keep tries again (copy_failed); or it was found damaged, and is made anew (copy_looked); or something was made of the recording since, and comes along (copies_follow). stored: read back and proven (copy_proven). leaving: to be removed, by purge''s own path (copy_proven of a move, for the place it came from; drop_copy). gone: removed, the listing proved it (copy_gone; copies_destroyed, with the segment itself). refused: may not be made (copy_refused); said is why.';
COMMENT ON COLUMN fsgov.copies.moving IS
    'When it is proven the row of the segment names it, and what the row named until then becomes this row, leaving.';
COMMENT ON COLUMN fsgov.copies.asked_by IS 'Null: keep, for a replica of the configuration.';
COMMENT ON COLUMN fsgov.copies.xact IS 'The transaction that asked, then that of the line segment.copy.begun: copy_key gives the wrapped key out only when it is committed.';
COMMENT ON COLUMN fsgov.copies.again_at IS 'Not tried before this (copy_failed): a while after a failure, or when its lock is over. Null: at once.';
COMMENT ON COLUMN fsgov.copies.proven_at IS 'When it was last read back whole (copy_proven, copy_looked).';
COMMENT ON COLUMN fsgov.copies.damaged IS 'The version that was whole once and is not any more (copy_looked): another one is put beside it.';
COMMENT ON COLUMN fsgov.copies.artefacts IS 'What was made of the recording and lies there too: object key to version (copy_proven).';
COMMENT ON COLUMN fsgov.copies.asked_at IS 'When it was asked for, or (copies_follow) more of it.';
COMMENT ON COLUMN fsgov.copies.said IS 'Why it did not work the last time, in the words of the part that refused; names no person.';

CREATE TABLE fsgov.replicas (
    vault      text PRIMARY KEY,
    of         text NOT NULL,
    tenant     text NOT NULL DEFAULT '*',
    by_store   boolean NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (vault <> of)
);
COMMENT ON TABLE fsgov.replicas IS
    'Vaults that keep has been configured with as replicas of others, written by replica_of. None is forgotten by leaving it out of a configuration: what is in it has to be destroyed as well.';
COMMENT ON COLUMN fsgov.replicas.by_store IS 'True: the object store copies by itself, so each object of `of` may be there unseen. False: keep makes the copies.';
COMMENT ON COLUMN fsgov.replicas.seen_at IS 'When a keep last had it in its configuration.';

CREATE TABLE fsgov.locks (
    segment text NOT NULL REFERENCES fsgov.segments ON DELETE CASCADE,
    vault   text NOT NULL,
    tenant  text NOT NULL,
    mode    text NOT NULL CHECK (mode IN ('GOVERNANCE', 'COMPLIANCE')),
    until   timestamptz NOT NULL,
    set_at  timestamptz NOT NULL DEFAULT now(),
    artefact text NOT NULL DEFAULT '',
    PRIMARY KEY (segment, vault, artefact)
);
COMMENT ON TABLE fsgov.locks IS
    'Object locks, as the vaults showed them after they were set, of the sealed audio and of its key object alike, or (artefact) of what was made of it. Written by note_lock (ship, keep). A row only grows: neither until nor mode becomes less.';


-- -- people who ask about their recordings -----------------------------------------------------------------

CREATE TABLE fsgov.subject_requests (
    id           text PRIMARY KEY,
    tenant       text NOT NULL CHECK (tenant <> ''),
    kind         text NOT NULL CHECK (kind IN ('export', 'erase')),
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'done', 'refused', 'lost')),
    numbers      text[] NOT NULL DEFAULT '{}',
    crm          text[] NOT NULL DEFAULT '{}',
    reference    text NOT NULL DEFAULT '',
    recipient    text NOT NULL DEFAULT '',
    received_at  timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    opened_by    text NOT NULL REFERENCES fsgov.people,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    approved_by  text REFERENCES fsgov.people,
    approved_at  timestamptz,
    answered_by  text REFERENCES fsgov.people,
    answered_at  timestamptz,
    done_at      timestamptz,
    forgotten_at timestamptz,
    CHECK (approved_by <> opened_by),
    CHECK (kind = 'erase' OR approved_at IS NULL),
    CHECK (forgotten_at IS NULL OR numbers = '{}' AND crm = '{}')
);
CREATE INDEX subject_requests_state ON fsgov.subject_requests (state, due_at);
COMMENT ON TABLE fsgov.subject_requests IS
    'What people asked about their own recordings: to be given them (export), or to have them erased (erase).';
COMMENT ON COLUMN fsgov.subject_requests.tenant IS 'Whose calls it is about: of the one tenant, or * for every one.';
COMMENT ON COLUMN fsgov.subject_requests.state IS
    'open: nothing is done yet (open_subject_request). approved: to be erased, by a second login (approve_erasure); what is held or must be kept waits in subject_records. done: given out (subject_exported), or nothing is left of it (erasure_done); a call that is entered late makes it approved again. refused: the person was told so (answer_subject_request). lost: after a restore it is known that it was made, and no more whom it was about (apply_requests).';
COMMENT ON COLUMN fsgov.subject_requests.numbers IS
    'Of the person: E.164, or as the switch gives them. Only here: no line names them. Empty after forgotten_at.';
COMMENT ON COLUMN fsgov.subject_requests.crm IS
    'What the CRM calls the person: the value of a fact that the policy names (NAME=VALUE: of that one), or its reference for a consent. Empty after forgotten_at.';
COMMENT ON COLUMN fsgov.subject_requests.reference IS 'Of the letter or ticket; free text.';
COMMENT ON COLUMN fsgov.subject_requests.recipient IS 'Who got the export; free text (subject_exported).';
COMMENT ON COLUMN fsgov.subject_requests.due_at IS
    'When the person must have been answered; a month after received_at where nobody said otherwise. Moved by answer_subject_request.';
COMMENT ON COLUMN fsgov.subject_requests.opened_by IS 'open_subject_request; after a restore, of what came back from the ledger, who restored it (apply_requests).';
COMMENT ON COLUMN fsgov.subject_requests.answered_at IS
    'Null: the person waits. Set by answer_subject_request, subject_exported, and by erasure_done where nothing had to be kept.';
COMMENT ON COLUMN fsgov.subject_requests.forgotten_at IS
    'Null: the numbers are here, so that calls which are entered late are found. Set by forget_subject, long enough after the end.';

CREATE TABLE fsgov.subject_records (
    request     text NOT NULL REFERENCES fsgov.subject_requests,
    call        text NOT NULL,
    party       integer NOT NULL,
    segment     text NOT NULL DEFAULT '',
    tenant      text NOT NULL,
    verdict     text NOT NULL CHECK (verdict IN ('due', 'held', 'statutory', 'needed', 'erased', 'gone', 'given', 'withheld')),
    reasons     text[] NOT NULL DEFAULT '{}',
    until       timestamptz,
    promised_at timestamptz,
    noted_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request, call, party, segment)
);
CREATE INDEX subject_records_call ON fsgov.subject_records (call, party);
COMMENT ON TABLE fsgov.subject_records IS
    'What became of each record of a request, one by one: the recordings in which the person can be heard, and (segment empty) the rows of the call that name them.';
COMMENT ON COLUMN fsgov.subject_records.party IS 'The person in that call, by ordinal; 0 where only the name of a file told (provenance).';
COMMENT ON COLUMN fsgov.subject_records.verdict IS
    'due: to be erased, and on its way (found_records). held: a hold is on it. statutory: a period demands that it is kept, until then. needed: rows that something else needs, as reasons say. erased: destroyed, or (rows) nulled. gone: there was nothing, or it was destroyed before. All of an erasure, by note_records and unname_party (keep). given, withheld: of an export (subject_exported).';
COMMENT ON COLUMN fsgov.subject_records.reasons IS 'Ids of holds, purposes, recordings and requests that it waits for; of what was withheld: why.';
COMMENT ON COLUMN fsgov.subject_records.until IS 'Statutory: not before then.';
COMMENT ON COLUMN fsgov.subject_records.promised_at IS
    'Rows: the ledger (promised/ in the key buckets) has it, so that a restore does not forget it. Nothing is erased before.';

CREATE TABLE fsgov.forgotten (
    call     text NOT NULL,
    party    integer NOT NULL,
    tenant   text NOT NULL DEFAULT '*',
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call, party)
);
COMMENT ON TABLE fsgov.forgotten IS
    'Whose personal rows were nulled: no later revision of a call file, no spool and no dump brings them back. Written by unname_party (keep), and after a restore by apply_forgotten, from the ledger (forgotten/ in the key buckets).';


-- -- what was made of recordings ---------------------------------------------------------------------------

CREATE TABLE fsgov.artefacts (
    artefact      text PRIMARY KEY,
    segment       text NOT NULL,
    tenant        text NOT NULL CHECK (tenant <> ''),
    state         text NOT NULL CHECK (state IN ('waiting', 'stored', 'removing', 'destroyed')),
    kind          text NOT NULL CHECK (kind ~ '^[a-z][a-z_-]{0,31}$'),
    media_type    text NOT NULL CHECK (media_type ~ '^[a-z]+/[a-z0-9.+-]{1,64}$'),
    purpose       text NOT NULL,
    made_by       text NOT NULL DEFAULT '',
    size          bigint NOT NULL CHECK (size > 0),
    sha256        text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    sealed_size   bigint NOT NULL,
    sealed_sha256 text NOT NULL,
    vault         text NOT NULL,
    object_key    text NOT NULL UNIQUE,
    version_id    text,
    attached_by   text NOT NULL REFERENCES fsgov.people,
    attached_at   timestamptz NOT NULL DEFAULT now(),
    stored_at     timestamptz,
    asked_by      text REFERENCES fsgov.people,
    asked_why     text NOT NULL DEFAULT '',
    approved_by   text REFERENCES fsgov.people CHECK (approved_by <> asked_by),
    removed_at    timestamptz,
    CHECK ((state = 'waiting') <= (version_id IS NULL))
);
CREATE INDEX artefacts_segment ON fsgov.artefacts (segment);
CREATE INDEX artefacts_removing ON fsgov.artefacts (artefact) WHERE state = 'removing';
CREATE INDEX artefacts_waiting ON fsgov.artefacts (attached_at) WHERE state = 'waiting';
COMMENT ON TABLE fsgov.artefacts IS
    'What was made of a recording (transcript, score): a child that lives as long as its segment, is held with it and destroyed with it. Sealed to the segment''s own key, so that nothing opens it once that key is destroyed. No reference to segments: reconcile may enter a segment again.';
COMMENT ON COLUMN fsgov.artefacts.state IS
    'waiting: its sealed bytes are in artefact_bytes (attach). stored: ship has put them beside the recording (artefact_stored). removing: it alone is to go, by two persons (approve_detach). destroyed: its segment is being destroyed, or is (trigger artefacts_go), or every version of it alone is removed (artefact_removed); the row stays as what is left of it.';
COMMENT ON COLUMN fsgov.artefacts.asked_by IS 'Who has asked that it alone be removed (ask_detach), asked_why: their reason; and, another login, who has approved it (approve_detach).';
COMMENT ON COLUMN fsgov.artefacts.removed_at IS 'When no vault listed it any more (artefact_removed). Null where it went with its recording.';
COMMENT ON COLUMN fsgov.artefacts.purpose IS 'The purpose of the recording that it was made for, and the only one that it serves.';
COMMENT ON COLUMN fsgov.artefacts.made_by IS 'The program, model or form that made it, in the words of whoever attached it. Empty once destroyed.';
COMMENT ON COLUMN fsgov.artefacts.sha256 IS 'Of the bytes before they were sealed. Null once destroyed: a short one (a score) could be found by trying.';
COMMENT ON COLUMN fsgov.artefacts.object_key IS 'Below the object of its segment. It is so from the beginning, so that purge removes it however far ship came.';

CREATE TABLE fsgov.artefact_bytes (
    artefact text PRIMARY KEY REFERENCES fsgov.artefacts,
    tenant   text NOT NULL,
    sealed   bytea NOT NULL
);
COMMENT ON TABLE fsgov.artefact_bytes IS
    'Sealed artefacts that wait for the vault: attach puts them here, artefact_stored or the end of their segment takes them away. Granted to nobody.';

CREATE TABLE fsgov.bundles (
    id        text PRIMARY KEY,
    tenant    text NOT NULL,
    call      text NOT NULL,
    segments  text[] NOT NULL,
    sha256    text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    recipient text NOT NULL,
    reason    text NOT NULL,
    made_by   text NOT NULL REFERENCES fsgov.people,
    made_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bundles_call ON fsgov.bundles (call);
COMMENT ON TABLE fsgov.bundles IS
    'Evidence bundles that were made of recordings: for whom, and why (free text stays here). Written by enter_bundle.';
COMMENT ON COLUMN fsgov.bundles.sha256 IS
    'Of the bundle''s SHA256SUMS, which names every other file of it. The line evidence.exported has it too: a copy is traced to its recipient by it.';


-- == Never changed =======================================================================================

CREATE FUNCTION fsgov.refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'FG403';
END $$;
COMMENT ON FUNCTION fsgov.refuse_change IS 'Trigger of tables whose rows are never changed, not even by their owner.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['event_log', 'checkpoints', 'log', 'policies', 'statements', 'certificates', 'refused_accesses'] LOOP
        EXECUTE format('CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON fsgov.%I'
                       ' FOR EACH ROW EXECUTE FUNCTION fsgov.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER immutable_whole BEFORE TRUNCATE ON fsgov.%I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION fsgov.refuse_change()', name);
    END LOOP;
END $$;


CREATE TRIGGER immutable BEFORE UPDATE ON fsgov.activations FOR EACH ROW
    WHEN (OLD.activated_at IS NOT NULL) EXECUTE FUNCTION fsgov.refuse_change();
CREATE TRIGGER immutable_always BEFORE DELETE ON fsgov.activations
    FOR EACH ROW EXECUTE FUNCTION fsgov.refuse_change();
CREATE TRIGGER immutable_whole BEFORE TRUNCATE ON fsgov.activations
    FOR EACH STATEMENT EXECUTE FUNCTION fsgov.refuse_change();

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON fsgov.periods
    FOR EACH ROW EXECUTE FUNCTION fsgov.refuse_change();
CREATE TRIGGER immutable_whole BEFORE TRUNCATE ON fsgov.periods
    FOR EACH STATEMENT EXECUTE FUNCTION fsgov.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE ON fsgov.retention_moves FOR EACH ROW
    WHEN (OLD.applied_at IS NOT NULL) EXECUTE FUNCTION fsgov.refuse_change();
CREATE TRIGGER immutable_always BEFORE DELETE ON fsgov.retention_moves
    FOR EACH ROW EXECUTE FUNCTION fsgov.refuse_change();
CREATE TRIGGER immutable_whole BEFORE TRUNCATE ON fsgov.retention_moves
    FOR EACH STATEMENT EXECUTE FUNCTION fsgov.refuse_change();

-- == Small words =========================================================================================

CREATE FUNCTION fsgov.instant(microseconds text) RETURNS timestamptz LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT timestamptz 'epoch' + microseconds::bigint * interval '1 microsecond'
$$;
COMMENT ON FUNCTION fsgov.instant IS 'Microseconds since the epoch, as JSON has them, to timestamptz; null stays null.';

CREATE FUNCTION fsgov.texts(list jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(array_agg(value ORDER BY ordinality), '{}')
    FROM jsonb_array_elements_text(coalesce(nullif(list, 'null'), '[]')) WITH ORDINALITY
$$;
COMMENT ON FUNCTION fsgov.texts IS 'A JSON list of strings as an array, in its order.';

CREATE FUNCTION fsgov.random_id(prefix text) RETURNS text LANGUAGE sql VOLATILE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT prefix || translate(left(replace(gen_random_uuid()::text, '-', ''), 12), '0123456789', 'ghijklmnop')
$$;
COMMENT ON FUNCTION fsgov.random_id IS 'Twelve random letters (48 bits) after a prefix; letters only, so that it can never look like a number.';


-- == Who is asking =======================================================================================

CREATE FUNCTION fsgov.me() RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    found_id text;
BEGIN
    SELECT id INTO found_id FROM fsgov.people WHERE login = session_user AND disabled_at IS NULL;
    IF found_id IS NULL THEN
        RAISE EXCEPTION 'this login is nobody fsgov knows' USING ERRCODE = 'FG403',
            DETAIL = session_user, HINT = 'an administrator adds it with: fsgov people add';
    END IF;
    RETURN found_id;
END $$;
COMMENT ON FUNCTION fsgov.me IS 'The person whose login this is. What the database says, never what the caller says.';

CREATE FUNCTION fsgov.my_tenants() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT m.tenant FROM fsgov.memberships m JOIN fsgov.people p ON p.id = m.person
    WHERE p.login = session_user AND p.disabled_at IS NULL
$$;
COMMENT ON FUNCTION fsgov.my_tenants IS 'Tenants of the person whose login this is; * means all.';

CREATE FUNCTION fsgov.shows(p_tenant text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT session_user IN ('fsgov_govern', 'fsgov_ship', 'fsgov_keep')
        OR EXISTS (SELECT FROM fsgov.my_tenants() AS t WHERE t IN (p_tenant, '*'))
$$;
COMMENT ON FUNCTION fsgov.shows IS 'Internal: whether what is of this tenant may be shown to this login: a service, or a person of that tenant.';

CREATE FUNCTION fsgov.in_role(login name, role name) RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = login) AND pg_has_role(login, role, 'USAGE')
$$;
COMMENT ON FUNCTION fsgov.in_role IS 'Has this login, where the server has it, the rights of that group role (through other roles too)?';

CREATE FUNCTION fsgov.roles_of(login name) RETURNS text[] LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(array_agg(r ORDER BY ordinality), '{}')
    FROM unnest(ARRAY['agent', 'supervisor', 'privacy', 'auditor', 'ops', 'integrator']) WITH ORDINALITY AS u(r, ordinality)
    WHERE fsgov.in_role(login, ('fsgov_' || r)::name)
$$;
COMMENT ON FUNCTION fsgov.roles_of IS 'The group roles of a login, without fsgov_.';

CREATE FUNCTION fsgov.whoami(OUT login text, OUT person text, OUT roles text[], OUT tenants text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT session_user::text,
           (SELECT p.id FROM fsgov.people p WHERE p.login = session_user AND p.disabled_at IS NULL),
           fsgov.roles_of(session_user),
           ARRAY(SELECT t FROM fsgov.my_tenants() AS t ORDER BY t)
$$;
COMMENT ON FUNCTION fsgov.whoami IS 'This login: person, group roles, tenants.';

CREATE FUNCTION fsgov.people_of_hosts() RETURNS TABLE (os_user text, person text, roles text[], tenants text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT p.os_user, p.id, fsgov.roles_of(p.login),
           ARRAY(SELECT m.tenant FROM fsgov.memberships m WHERE m.person = p.id ORDER BY 1)
    FROM fsgov.people p WHERE p.os_user IS NOT NULL AND p.disabled_at IS NULL ORDER BY 1
$$;
COMMENT ON FUNCTION fsgov.people_of_hosts IS 'For the cache of govern: OS user -> person, roles, tenants. No database logins.';


-- == Row security ========================================================================================

DO $$
DECLARE
    name text;
BEGIN
    -- forced: the owner is bound as well; its policy lets the functions below through
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'fsgov' LOOP
        EXECUTE format('ALTER TABLE fsgov.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY functions ON fsgov.%I TO fsgov_owner USING (true) WITH CHECK (true)', name);
    END LOOP;
    -- people: rows of their tenants; the table of keys has no policy and no grant for anybody
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'fsgov' AND tablename <> 'segment_keys' LOOP
        EXECUTE format(
            'CREATE POLICY people ON fsgov.%I FOR SELECT'
            ' TO fsgov_agent, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops, fsgov_integrator'
            ' USING (tenant IN (SELECT fsgov.my_tenants()) OR ''*'' IN (SELECT fsgov.my_tenants()))', name);
    END LOOP;
    -- keep reads what it moves, signs and ships to sinks
    FOREACH name IN ARRAY ARRAY['origins', 'outbox', 'log', 'event_log', 'checkpoints', 'sinks', 'keepers', 'version',
        'calls', 'legs', 'session_counts', 'statements'] LOOP
        EXECUTE format('CREATE POLICY keep ON fsgov.%I FOR SELECT TO fsgov_keep USING (true)', name);
    END LOOP;
    CREATE POLICY services ON fsgov.version FOR SELECT TO fsgov_govern, fsgov_ship USING (true);
END $$;

GRANT SELECT ON fsgov.version TO fsgov_govern, fsgov_ship, fsgov_keep, fsgov_agent, fsgov_supervisor, fsgov_privacy,
    fsgov_auditor, fsgov_ops, fsgov_integrator;
-- calls without `inputs`, which hold numbers
GRANT SELECT (call, tenant, host, core, direction, opened_at, answered_at, ended_at, revision, policy_version,
    policy_sha256, decision, rule, outcome, outcome_cause, revised_outcome, revised_cause, merged_into,
    parted_from, segments, counters, entered_at)
    ON fsgov.calls TO fsgov_agent, fsgov_ops, fsgov_integrator;
GRANT SELECT ON fsgov.calls TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.legs, fsgov.segments, fsgov.masks, fsgov.tags
    TO fsgov_agent, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops, fsgov_integrator;
-- consents without `evidence` (a CRM reference may point at a person)
GRANT SELECT (call, consent, tenant, party, purpose, state, method, mode, at)
    ON fsgov.consents TO fsgov_agent, fsgov_ops, fsgov_integrator;
GRANT SELECT ON fsgov.consents, fsgov.parties TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.policies TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
GRANT SELECT ON fsgov.activations TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
-- stops without `number` and `reason`
GRANT SELECT (id, tenant, kind, host, placed_by, placed_at, lifted_by, lifted_at) ON fsgov.stops TO fsgov_agent, fsgov_ops;
GRANT SELECT ON fsgov.stops TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
-- holds without matter, custodian and reasons; what they are about may be a number
GRANT SELECT (id, tenant, placed_by, placed_at, asked_by, asked_at, released_by, released_at)
    ON fsgov.holds TO fsgov_agent, fsgov_ops, fsgov_integrator;
GRANT SELECT ON fsgov.holds, fsgov.hold_items, fsgov.hold_sources, fsgov.hold_calls, fsgov.hold_segments,
    fsgov.cases, fsgov.reviews
    TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.mirrors TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
GRANT SELECT ON fsgov.scrubs TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
GRANT SELECT ON fsgov.noted TO fsgov_auditor, fsgov_ops;
GRANT SELECT ON fsgov.rotations, fsgov.rotation_batches TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.provenance TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.accesses, fsgov.refused_accesses, fsgov.people, fsgov.memberships TO fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.subject_requests, fsgov.subject_records, fsgov.forgotten TO fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.schedules, fsgov.schedule_runs, fsgov.plans, fsgov.plan_items TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT ON fsgov.certificates, fsgov.erased, fsgov.returned TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
GRANT SELECT ON fsgov.restores, fsgov.lost_acts TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
-- keep counts conversations and legs by day; whose they are it does not see
GRANT SELECT (call, tenant, host, core, opened_at, outcome, revised_outcome, entered_at) ON fsgov.calls TO fsgov_keep;
GRANT SELECT (call, leg, tenant, created_at) ON fsgov.legs TO fsgov_keep;
GRANT SELECT ON fsgov.session_counts, fsgov.statements
    TO fsgov_keep, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops, fsgov_integrator;
GRANT SELECT ON fsgov.origins, fsgov.outbox, fsgov.log, fsgov.event_log, fsgov.checkpoints, fsgov.sinks, fsgov.keepers
    TO fsgov_keep, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops, fsgov_integrator;


-- == Lines ===============================================================================================

CREATE FUNCTION fsgov.entry_line(origin text, n bigint, type text, subject text, facts jsonb) RETURNS bytea
LANGUAGE sql VOLATILE SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT convert_to(format(
        '{"specversion":"1.0","id":%s,"source":"/fsgov/desk","type":%s,"subject":%s,"time":%s,"data":{%s}}',
        to_json(origin || '.' || n), to_json('fsgov.' || type || '.v1'), to_json(subject),
        to_json(to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
        (SELECT string_agg(to_json(key)::text || ':' || value::text, ',') FROM jsonb_each(facts))), 'UTF8')
$$;
COMMENT ON FUNCTION fsgov.entry_line IS 'One line of a person at a desk: CloudEvents 1.0, as fsgov.entries.line builds it for the services.';

CREATE FUNCTION fsgov.enter_from_desk(person text, type text, subject text, facts jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    line_n bigint;
BEGIN
    INSERT INTO fsgov.origins AS o (origin, part, entered_n) VALUES (person, 'desk', 1)
        ON CONFLICT (origin) DO UPDATE SET entered_n = o.entered_n + 1
        RETURNING entered_n INTO line_n;
    INSERT INTO fsgov.outbox (origin, n, line)
        VALUES (person, line_n, fsgov.entry_line(person, line_n, type, subject, facts || jsonb_build_object('actor', person)));
END $$;
COMMENT ON FUNCTION fsgov.enter_from_desk IS 'Internal: granted to nobody. One line in the transaction of the act it tells.';

CREATE FUNCTION fsgov.take_line(p_origin text, p_n bigint, p_line bytea, p_entry jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    INSERT INTO fsgov.outbox (origin, n, line) VALUES (p_origin, p_n, p_line);
    IF p_entry ->> 'type' = 'fsgov.sessions.counted.v1' THEN
        INSERT INTO fsgov.session_counts (origin, n, host, core, at, sessions, ungoverned)
        VALUES (p_origin, p_n, p_entry ->> 'subject', p_entry #>> '{data,core}', (p_entry ->> 'time')::timestamptz,
            (p_entry #>> '{data,sessions}')::bigint, (p_entry #>> '{data,ungoverned}')::bigint)
        ON CONFLICT DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.take_line IS 'Internal: granted to nobody. One line, checked before, into the outbox.';

CREATE FUNCTION fsgov.enter_lines(p_origin text, p_first bigint, p_lines bytea[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    host  text := substring(p_origin FROM '^([0-9A-Za-z._-]+)[.](?:govern|ship|keep)[.][0-9]+$');
    part  text := substring(p_origin FROM '[.](govern|ship|keep)[.][0-9]+$');
    last  bigint;
    entry jsonb;
    bytes bytea;
    num   bigint := p_first;
BEGIN
    IF host IS NULL OR NOT ((session_user = 'fsgov_ship' AND part IN ('govern', 'ship'))
                            OR (session_user = 'fsgov_keep' AND part = 'keep')) THEN
        RAISE EXCEPTION 'this login may not enter lines of that origin' USING ERRCODE = 'FG403',
            DETAIL = session_user || ' for ' || p_origin;
    END IF;
    INSERT INTO fsgov.origins (origin, part) VALUES (p_origin, part) ON CONFLICT DO NOTHING;
    SELECT entered_n INTO last FROM fsgov.origins WHERE origin = p_origin FOR UPDATE;
    IF p_first > last + 1 OR p_first < 1 THEN
        RAISE EXCEPTION 'lines of an origin are entered without gaps' USING ERRCODE = 'FG409',
            DETAIL = format('%s: line %s cannot follow line %s', p_origin, p_first, last);
    END IF;
    FOREACH bytes IN ARRAY p_lines LOOP
        IF num <= last THEN
            IF NOT EXISTS (SELECT FROM fsgov.outbox o WHERE o.origin = p_origin AND o.n = num AND o.line = bytes)
               AND NOT EXISTS (SELECT FROM fsgov.event_log e WHERE e.origin = p_origin AND e.n = num AND e.line = bytes) THEN
                RAISE EXCEPTION 'another line has been entered under this number' USING ERRCODE = 'FG422',
                    DETAIL = format('%s line %s', p_origin, num);
            END IF;
        ELSE
            entry := convert_from(bytes, 'UTF8')::jsonb;
            IF position('\x0a'::bytea IN bytes) > 0
               OR entry ->> 'id' IS DISTINCT FROM p_origin || '.' || num
               OR entry ->> 'source' IS DISTINCT FROM '/fsgov/' || host
               OR coalesce(entry ->> 'type', '') !~ '^fsgov[.][a-z.]+[.]v[0-9]+$'
               OR entry ->> 'type' ~ '^fsgov[.](access|people|rotation|log|policy|subject|plan|schedule|hold|case|quarantine)[.]'
               OR part <> 'keep' AND entry ->> 'type' ~ '^fsgov[.](purge|segment[.]destroy|signer)' THEN
                RAISE EXCEPTION 'this line is not one its origin may write' USING ERRCODE = 'FG422',
                    DETAIL = format('%s line %s', p_origin, num);
            END IF;
            PERFORM fsgov.take_line(p_origin, num, bytes, entry);
        END IF;
        num := num + 1;
    END LOOP;
    last := greatest(last, num - 1);
    UPDATE fsgov.origins SET entered_n = last WHERE origin = p_origin AND entered_n < last;
    RETURN last;
END $$;
COMMENT ON FUNCTION fsgov.enter_lines IS
    'ship: lines of the govern and ship origins of its host; keep: its own. Answers the last n entered. Entering the same lines again changes nothing; a gap or another text is refused.';
GRANT EXECUTE ON FUNCTION fsgov.enter_lines TO fsgov_ship, fsgov_keep;

CREATE FUNCTION fsgov.entered(p_origin text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce((SELECT entered_n FROM fsgov.origins WHERE origin = p_origin), 0)
$$;
COMMENT ON FUNCTION fsgov.entered IS 'How many lines of this origin are entered; 0 for an unknown one.';
GRANT EXECUTE ON FUNCTION fsgov.entered TO fsgov_ship, fsgov_keep;


-- == Ship enters calls and segments ======================================================================

CREATE FUNCTION fsgov.enter_policy(p_version text, p_text text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    digest text := encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
BEGIN
    INSERT INTO fsgov.policies (sha256, version, text) VALUES (digest, p_version, p_text) ON CONFLICT DO NOTHING;
    RETURN digest;
END $$;
COMMENT ON FUNCTION fsgov.enter_policy IS 'Keep this policy under its digest, which is the answer.';
GRANT EXECUTE ON FUNCTION fsgov.enter_policy TO fsgov_ship;

CREATE FUNCTION fsgov.enter_call(doc jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    id text := doc ->> 'call';
    owner text := doc ->> 'tenant';
BEGIN
    -- also of calls that this one came of, and of segments that were entered after this revision was
    UPDATE fsgov.segments SET dispose = true, dispose_reason = coalesce(doc #>> '{state,dispose_reason}', '')
    WHERE tenant = owner AND NOT dispose AND segment = ANY (fsgov.texts(doc -> 'dispose'));
    UPDATE fsgov.segments s SET state = 'quarantined', quarantine = 'withdrawn', review_by = fsgov.instant(q.value)
    FROM jsonb_each_text(coalesce(nullif(doc -> 'quarantine', 'null'), '{}')) AS q
    WHERE s.tenant = owner AND s.segment = q.key AND s.state = 'stored' AND NOT fsgov.is_reviewed(s.segment);

    INSERT INTO fsgov.calls AS c (call, tenant, host, core, direction, opened_at, answered_at, ended_at, revision,
        policy_version, policy_sha256, inputs, inputs_salt, decision, rule, outcome, outcome_cause, merged_into,
        parted_from, segments, counters)
    VALUES (id, owner, doc ->> 'host', coalesce(doc ->> 'core', ''), doc ->> 'direction',
        fsgov.instant(doc ->> 'opened'), fsgov.instant(doc ->> 'answered'), fsgov.instant(doc ->> 'ended'),
        (doc ->> 'revision')::bigint, doc #>> '{policy,version}', doc #>> '{policy,sha256}',
        coalesce(nullif(doc -> 'grounds', 'null'), nullif(doc -> 'inputs', 'null')), nullif(doc ->> 'inputs_salt', ''),
        nullif(doc -> 'decision', 'null'), doc #>> '{decision,rule}',
        doc ->> 'outcome', coalesce(doc ->> 'outcome_cause', ''), doc ->> 'merged_into', doc ->> 'parted_from',
        fsgov.texts(doc -> 'segments'), coalesce(nullif(doc -> 'counters', 'null'), '{}'))
    ON CONFLICT (call) DO UPDATE SET
        tenant = excluded.tenant, host = excluded.host, core = excluded.core, direction = excluded.direction,
        opened_at = excluded.opened_at, answered_at = excluded.answered_at, ended_at = excluded.ended_at,
        revision = excluded.revision, policy_version = excluded.policy_version, policy_sha256 = excluded.policy_sha256,
        inputs = excluded.inputs, inputs_salt = excluded.inputs_salt, decision = excluded.decision, rule = excluded.rule, outcome = excluded.outcome,
        outcome_cause = excluded.outcome_cause, merged_into = excluded.merged_into, parted_from = excluded.parted_from,
        segments = excluded.segments,
        counters = excluded.counters, entered_at = now()
    WHERE c.revision < excluded.revision;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    DELETE FROM fsgov.legs WHERE call = id;
    INSERT INTO fsgov.legs (call, leg, tenant, name, direction, party, created_at, answered_at, ended_at, cause)
    SELECT id, l ->> 'leg', owner, l ->> 'name', l ->> 'direction', (l ->> 'party')::integer,
        fsgov.instant(l ->> 'created'), fsgov.instant(l ->> 'answered'), fsgov.instant(l ->> 'ended'), coalesce(l ->> 'cause', '')
    FROM jsonb_array_elements(doc -> 'legs') AS l;

    DELETE FROM fsgov.parties WHERE call = id;
    INSERT INTO fsgov.parties (call, party, tenant, side, number, e164, country, facts)
    SELECT id, (p ->> 'party')::integer, owner, p ->> 'side', nullif(p ->> 'number', ''), nullif(p ->> 'e164', ''),
        nullif(p ->> 'country', ''), nullif(p -> 'facts', 'null')
    FROM jsonb_array_elements(doc -> 'parties') AS p;

    DELETE FROM fsgov.consents WHERE call = id;
    INSERT INTO fsgov.consents (call, consent, tenant, party, purpose, state, method, mode, at, evidence)
    SELECT id, c ->> 'id', owner, (c ->> 'party')::integer, c ->> 'purpose', c ->> 'state', c ->> 'method',
        coalesce(c ->> 'mode', ''),
        fsgov.instant(c ->> 'at'), nullif(c -> 'evidence', 'null')
    FROM jsonb_array_elements(doc -> 'consents') AS c;

    DELETE FROM fsgov.tags WHERE call = id;
    INSERT INTO fsgov.tags (call, n, tenant, tag, actor, at)
    SELECT id, t.n, owner, t.tag ->> 'tag', t.tag ->> 'actor', fsgov.instant(t.tag ->> 'at')
    FROM jsonb_array_elements(doc -> 'tags') WITH ORDINALITY AS t(tag, n);

    INSERT INTO fsgov.anchors AS a (call, event, tenant, at)
    SELECT id, n.key, owner, fsgov.instant(n.value) FROM jsonb_each_text(coalesce(nullif(doc -> 'anchors', 'null'), '{}')) AS n
    WHERE n.key IN ('contract_end', 'last_activity', 'case_closed')
    ON CONFLICT (call, event) DO UPDATE SET at = excluded.at, set_at = now()
    WHERE a.set_by IS NULL AND a.at IS DISTINCT FROM excluded.at;
    PERFORM fsgov.unname(id, f.party) FROM fsgov.forgotten f WHERE f.call = id;
    RETURN true;
END $$;
COMMENT ON FUNCTION fsgov.enter_call IS
    'A call file of the spool becomes rows. False: this revision or a newer one was there, nothing changed.';
GRANT EXECUTE ON FUNCTION fsgov.enter_call TO fsgov_ship;

CREATE FUNCTION fsgov.revise_outcome(p_call text, p_outcome text, p_cause text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.calls SET revised_outcome = p_outcome, revised_cause = p_cause, entered_at = now()
    WHERE call = p_call AND (revised_outcome, revised_cause) IS DISTINCT FROM (p_outcome, p_cause);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION fsgov.revise_outcome IS
    'The audio says less than govern believed (an empty WAV: failed, media). False: the call is not entered yet, or revised so already.';
GRANT EXECUTE ON FUNCTION fsgov.revise_outcome TO fsgov_ship;

CREATE FUNCTION fsgov.enter_segment(doc jsonb, p_wrapped_key bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    id text := doc ->> 'segment';
    owner text := doc ->> 'tenant';
    here text;
BEGIN
    IF id !~ ('^' || (doc ->> 'call') || '-[0-9]{2,}$') THEN
        RAISE EXCEPTION 'a segment is named for its call' USING ERRCODE = 'FG422', DETAIL = id;
    END IF;
    IF (doc -> 'stored' IS NULL) <> (p_wrapped_key IS NULL) THEN
        RAISE EXCEPTION 'a stored segment has a wrapped key, a missing one has none' USING ERRCODE = 'FG422', DETAIL = id;
    END IF;
    IF EXISTS (SELECT FROM fsgov.erased e WHERE e.segment = id) THEN
        RETURN false;
    END IF;
    -- reconcile gave it up, or adopted its object: what ship knows takes the place of what could be guessed
    SELECT s.segment INTO here FROM fsgov.segments s WHERE s.segment = id AND (s.adopted = 'lost'
        OR s.adopted = 'vault' AND s.sealed_sha256 = doc #>> '{stored,sha256}')
        AND s.state NOT IN ('destroying', 'destroyed')
        AND NOT EXISTS (SELECT FROM fsgov.accesses a WHERE a.segment = s.segment) FOR UPDATE;
    DELETE FROM fsgov.segment_keys k WHERE k.segment = here;
    DELETE FROM fsgov.segments s WHERE s.segment = here;
    INSERT INTO fsgov.segments (segment, call, tenant, leg, leg_name, n, state, rule, policy_sha256, basis, purposes,
        consents, evidence, parties, opened_at, start_lost_ms, closed_at, cause, reported_ms, reported_size, leg_holds, dispose, dispose_reason,
        frames, ms, audio_size, audio_sha256, truncated, lost_ms, mask_proof, findings, quarantine, review_by,
        vault, object_key, version_id, key_version_id, sealed_size, sealed_sha256, sealed_to, stored_at, adopted)
    VALUES (id, doc ->> 'call', owner, doc ->> 'leg', coalesce(doc ->> 'leg_name', ''), (doc ->> 'n')::integer,
        CASE WHEN doc -> 'stored' IS NULL THEN 'missing'
             WHEN coalesce(doc ->> 'quarantine', '') <> '' THEN 'quarantined' ELSE 'stored' END,
        doc ->> 'rule', doc ->> 'policy', coalesce(nullif(doc -> 'basis', 'null'), '{}'), fsgov.texts(doc -> 'purposes'),
        fsgov.texts(doc -> 'consents'), coalesce(nullif(doc -> 'evidence', 'null'), '{}'),
        fsgov.texts(doc -> 'parties')::integer[], fsgov.instant(doc ->> 'opened'),
        (doc ->> 'start_lost_ms')::bigint, fsgov.instant(doc ->> 'closed'),
        coalesce(doc ->> 'cause', ''), (doc ->> 'reported_ms')::bigint, (doc ->> 'reported_size')::bigint,
        coalesce(nullif(doc -> 'holds', 'null'), '[]'), coalesce((doc ->> 'dispose')::boolean, false),
        coalesce(doc ->> 'dispose_reason', ''),
        (doc #>> '{checked,frames}')::bigint, (doc #>> '{checked,ms}')::bigint, (doc #>> '{checked,size}')::bigint,
        doc #>> '{checked,sha256}', coalesce((doc #>> '{checked,truncated}')::boolean, false), (doc #>> '{checked,lost_ms}')::bigint,
        coalesce(doc #>> '{checked,mask_proof}', 'none'), fsgov.texts(doc #> '{checked,findings}'),
        coalesce(doc ->> 'quarantine', ''), fsgov.instant(doc ->> 'review_by'),
        doc ->> 'vault', doc #>> '{stored,key}', doc #>> '{stored,version_id}', doc #>> '{stored,key_version_id}',
        (doc #>> '{stored,size}')::bigint, doc #>> '{stored,sha256}', nullif(doc #>> '{sealed,recipient}', ''),
        fsgov.instant(doc ->> 'stored_at'),
        coalesce(doc ->> 'adopted', ''))
    ON CONFLICT (segment) DO NOTHING;
    IF NOT FOUND THEN
        SELECT sealed_sha256 INTO here FROM fsgov.segments WHERE segment = id;
        IF here IS DISTINCT FROM doc #>> '{stored,sha256}' THEN
            RAISE EXCEPTION 'this segment is entered with another digest' USING ERRCODE = 'FG422', DETAIL = id,
                HINT = 'keep both copies and ask why one segment was sealed twice';
        END IF;
        RETURN false;
    END IF;
    INSERT INTO fsgov.segment_keys (segment, tenant, wrapped_key, recipients)
    SELECT id, owner, p_wrapped_key, fsgov.texts(doc #> '{sealed,recipients}') WHERE p_wrapped_key IS NOT NULL;
    INSERT INTO fsgov.masks (segment, n, tenant, by, from_ms, to_ms, asked_at, acknowledged_at, ended_at, actor)
    SELECT id, m.n, owner, m.mask ->> 'by', (m.mask ->> 'from_ms')::bigint, (m.mask ->> 'to_ms')::bigint,
        fsgov.instant(m.mask ->> 'asked'), fsgov.instant(m.mask ->> 'acknowledged'), fsgov.instant(m.mask ->> 'ended'),
        m.mask ->> 'actor'
    FROM jsonb_array_elements(doc -> 'masks') WITH ORDINALITY AS m(mask, n);
    RETURN true;
END $$;
COMMENT ON FUNCTION fsgov.enter_segment IS
    'A sidecar in state stored becomes a row, its key and its masks. False: it was there, with the same digest.';
GRANT EXECUTE ON FUNCTION fsgov.enter_segment TO fsgov_ship;


-- == People at a desk ====================================================================================

CREATE FUNCTION fsgov.may_open(about fsgov.segments, p_purpose text, p_complaint text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    privacy boolean := fsgov.in_role(session_user, 'fsgov_privacy');
    others  text[] := ARRAY['review', 'audit', 'complaint', 'subject_request'];
BEGIN
    IF about.segment IS NULL OR NOT fsgov.mine(about.tenant) THEN
        RAISE EXCEPTION 'there is no such segment' USING ERRCODE = 'FG404', DETAIL = about.segment;
    END IF;
    IF NOT privacy AND (about.state = 'quarantined' OR NOT (fsgov.in_role(session_user, 'fsgov_supervisor')
            OR p_purpose = 'audit' AND fsgov.in_role(session_user, 'fsgov_auditor'))) THEN
        RAISE EXCEPTION 'this recording is not for this login' USING ERRCODE = 'FG403',
            DETAIL = about.segment || ' is ' || about.state,
            HINT = 'supervisors open stored recordings, fsgov_privacy also quarantined ones, fsgov_auditor stored ones for an audit';
    END IF;
    IF about.state = 'missing' THEN
        RAISE EXCEPTION 'there was no audio to store' USING ERRCODE = 'FG409', DETAIL = about.segment;
    END IF;
    IF about.state IN ('destroying', 'destroyed') THEN
        RAISE EXCEPTION 'this recording is destroyed' USING ERRCODE = 'FG409', DETAIL = about.segment || ' is ' || about.state,
            HINT = 'fsgov purge certificate ' || about.segment;
    END IF;
    IF p_purpose IS NULL OR NOT p_purpose = ANY (about.purposes || others) THEN
        RAISE EXCEPTION 'this recording does not serve that purpose' USING ERRCODE = 'FG403',
            DETAIL = about.segment, HINT = 'purposes: ' || array_to_string(about.purposes || others, ', ');
    END IF;
    IF p_purpose = 'audit' AND NOT fsgov.in_role(session_user, 'fsgov_auditor') THEN
        RAISE EXCEPTION 'an audit is the auditor''s' USING ERRCODE = 'FG403', DETAIL = about.segment || ', ' || session_user,
            HINT = 'fsgov_auditor asks for it, or name what you need it for: ' || array_to_string(fsgov.live_purposes(about.segment), ', ');
    END IF;
    IF p_purpose = 'review' AND NOT (privacy AND (about.state = 'quarantined' OR fsgov.is_due(about.segment))) THEN
        RAISE EXCEPTION 'there is nothing to review' USING ERRCODE = 'FG403', DETAIL = about.segment || ' is ' || about.state,
            HINT = 'fsgov_privacy reviews what is in quarantine, and what is about to be destroyed because its time is over';
    END IF;
    IF p_purpose = 'complaint' AND coalesce(p_complaint, '') = '' THEN
        RAISE EXCEPTION 'a complaint has a case' USING ERRCODE = 'FG422', DETAIL = about.segment,
            HINT = 'fsgov hold list names the cases; fsgov hold place --complaint opens one';
    END IF;
    IF p_purpose <> 'complaint' AND coalesce(p_complaint, '') <> '' THEN
        RAISE EXCEPTION 'only a complaint has a case' USING ERRCODE = 'FG422', DETAIL = about.segment || ', ' || p_purpose,
            HINT = 'the purpose is complaint, or no case is named';
    END IF;
    IF p_purpose = 'complaint' AND NOT EXISTS (SELECT FROM fsgov.cases k WHERE k.id = p_complaint AND fsgov.mine(k.tenant)
            AND k.hold = ANY (fsgov.held(about.segment))) THEN
        RAISE EXCEPTION 'no open case of this name is about this recording' USING ERRCODE = 'FG403',
            DETAIL = about.segment || ', ' || p_complaint, HINT = 'fsgov hold list; fsgov hold add takes it into an open case';
    END IF;
    IF p_purpose = 'subject_request' AND NOT (privacy AND fsgov.is_asked_for(about.segment)) THEN
        RAISE EXCEPTION 'nobody who can be heard in it has asked for this recording' USING ERRCODE = 'FG403', DETAIL = about.segment,
            HINT = 'fsgov_privacy gives it out while their request is open: fsgov subject open export';
    END IF;
    IF NOT p_purpose = ANY (others) AND NOT p_purpose = ANY (fsgov.live_purposes(about.segment)) THEN
        RAISE EXCEPTION 'the time of this purpose is over' USING ERRCODE = 'FG403', DETAIL = about.segment || ', ' || p_purpose,
            HINT = 'still open for: ' || array_to_string(fsgov.live_purposes(about.segment) || others, ', ');
    END IF;
    IF about.basis ->> p_purpose = 'consent' AND EXISTS (SELECT FROM fsgov.consents n WHERE n.call = about.call
            AND n.purpose = p_purpose AND n.state IN ('refused', 'withdrawn')) THEN
        RAISE EXCEPTION 'a party has taken its consent to that purpose back' USING ERRCODE = 'FG403',
            DETAIL = about.segment || ', ' || p_purpose, HINT = 'fsgov calls show ' || about.call;
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.may_open IS
    'Internal: raises where this login may not open this recording now: for a purpose of its own that is neither over nor taken back; for review (fsgov_privacy, of what is in quarantine or due), audit (fsgov_auditor), complaint (an open case that holds it) or subject_request.';

CREATE FUNCTION fsgov.request_access(p_segment text, p_purpose text, p_reason text, p_recipient text DEFAULT '',
    p_complaint text DEFAULT '') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    access text := fsgov.random_id('x-');
    about  fsgov.segments;
BEGIN
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = p_segment AND fsgov.mine(s.tenant);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such segment' USING ERRCODE = 'FG404', DETAIL = p_segment;
    END IF;
    PERFORM fsgov.may_open(about, p_purpose, p_complaint);
    IF btrim(coalesce(p_reason, '')) = '' THEN
        RAISE EXCEPTION 'an access needs a reason' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    INSERT INTO fsgov.accesses (id, tenant, segment, person, login, purpose, reason, recipient, complaint, xact)
        VALUES (access, about.tenant, p_segment, person, session_user, p_purpose, p_reason, coalesce(p_recipient, ''),
            coalesce(p_complaint, ''), pg_current_xact_id());
    PERFORM fsgov.enter_from_desk(person, 'access.requested', p_segment,
        jsonb_build_object('call', about.call, 'access', access, 'purpose', p_purpose, 'case', nullif(p_complaint, '')));
    RETURN access;
END $$;
COMMENT ON FUNCTION fsgov.request_access IS
    'Asks for one recording, for one of its purposes (or review, audit, complaint, subject_request: may_open says when). p_complaint: the case, where the purpose is complaint. Commit, then release_key.';
GRANT EXECUTE ON FUNCTION fsgov.request_access TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.release_key(p_access text, OUT segment text, OUT wrapped_key bytea, OUT vault text,
    OUT object_key text, OUT version_id text, OUT sealed_size bigint, OUT sealed_sha256 text, OUT audio_sha256 text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    me    text := fsgov.me();
    asked fsgov.accesses;
    about fsgov.segments;
BEGIN
    SELECT * INTO asked FROM fsgov.accesses a
        WHERE a.id = p_access AND a.login = session_user AND a.person = me FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this login has no such access' USING ERRCODE = 'FG404', DETAIL = p_access;
    END IF;
    IF asked.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'this access has been used' USING ERRCODE = 'FG409', DETAIL = p_access, HINT = 'request another';
    END IF;
    IF pg_xact_status(asked.xact) IS DISTINCT FROM 'committed' THEN
        RAISE EXCEPTION 'this access is not committed' USING ERRCODE = 'FG409', DETAIL = p_access,
            HINT = 'commit the request, then ask for the key in a new transaction';
    END IF;
    UPDATE fsgov.accesses a SET released_at = now() WHERE a.id = p_access;
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = asked.segment;
    PERFORM fsgov.enter_from_desk(me, 'access.released', asked.segment,
        jsonb_build_object('call', about.call, 'access', p_access, 'purpose', asked.purpose));
    SELECT k.wrapped_key INTO release_key.wrapped_key FROM fsgov.segment_keys k WHERE k.segment = asked.segment;
    IF NOT FOUND OR about.state IN ('destroying', 'destroyed') THEN
        RAISE EXCEPTION 'the key of this recording is destroyed' USING ERRCODE = 'FG404', DETAIL = asked.segment;
    END IF;
    PERFORM fsgov.may_open(about, asked.purpose, asked.complaint);  -- it may be long ago that it was asked for
    segment := about.segment; vault := about.vault; object_key := about.object_key; version_id := about.version_id;
    sealed_size := about.sealed_size; sealed_sha256 := about.sealed_sha256; audio_sha256 := about.audio_sha256;
END $$;
COMMENT ON FUNCTION fsgov.release_key IS
    'The wrapped key of a requested and committed access, once, to the login that asked, while it may still open that recording for that purpose.';
GRANT EXECUTE ON FUNCTION fsgov.release_key TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.refused_access(p_segment text, p_purpose text, p_reason text, p_complaint text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person  text := fsgov.me();
    mine    text[] := ARRAY(SELECT fsgov.my_tenants());
    refusal text := fsgov.random_id('x-');
    said    text := '';
    about   fsgov.segments;
BEGIN
    BEGIN  -- asked once more, so that it is the database that says what was refused; whatever comes of it is undone
        IF p_segment LIKE 'd-%' THEN
            PERFORM fsgov.request_artefact(p_segment, p_purpose, p_reason, '', p_complaint);
        ELSE
            PERFORM fsgov.request_access(p_segment, p_purpose, p_reason, '', p_complaint);
        END IF;
        RAISE EXCEPTION 'granted' USING ERRCODE = 'FG200';
    EXCEPTION
        WHEN SQLSTATE 'FG200' THEN
            RETURN;
        WHEN SQLSTATE 'FG403' OR SQLSTATE 'FG404' OR SQLSTATE 'FG409' OR SQLSTATE 'FG422' THEN
            said := SQLERRM;
            SELECT s.* INTO about FROM fsgov.segments s WHERE fsgov.mine(s.tenant) AND s.segment
                = coalesce((SELECT a.segment FROM fsgov.artefacts a WHERE a.artefact = p_segment), p_segment);
            INSERT INTO fsgov.refused_accesses (id, tenant, segment, person, login, purpose, code, why)
                VALUES (refusal, coalesce(about.tenant, CASE cardinality(mine) WHEN 1 THEN mine[1] ELSE '*' END),
                    coalesce(about.segment, substring(p_segment FROM '^[0-9A-Za-z-]{1,80}$'), ''), person, session_user,
                    coalesce(substring(p_purpose FROM '^[a-z][a-z0-9_]{0,31}$'), ''), SQLSTATE, said);
            PERFORM fsgov.enter_from_desk(person, 'access.refused', coalesce(about.segment, refusal),
                jsonb_build_object('call', about.call, 'access', refusal, 'code', SQLSTATE));
    END;
END $$;
COMMENT ON FUNCTION fsgov.refused_access IS
    'Keeps that this login asked for a recording (or an artefact) so and was refused. Asks again itself: what would be granted is not noted.';
GRANT EXECUTE ON FUNCTION fsgov.refused_access TO fsgov_agent, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops,
    fsgov_integrator;

-- -- the policy in force -----------------------------------------------------------------------------------

CREATE FUNCTION fsgov.operator(role name[]) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(role) AS r WHERE fsgov.in_role(session_user, r))
       OR '*' NOT IN (SELECT fsgov.my_tenants()) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'it is for ' || array_to_string(role, ' or ') || ', of every tenant';
    END IF;
    RETURN person;
END $$;
COMMENT ON FUNCTION fsgov.operator IS
    'Internal: the person whose login this is, who has one of these roles and acts for every tenant.';

CREATE FUNCTION fsgov.activated() RETURNS fsgov.activations LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT a FROM fsgov.activations a WHERE a.activated_at IS NOT NULL ORDER BY a.n DESC LIMIT 1
$$;
COMMENT ON FUNCTION fsgov.activated IS 'Internal: the activation in force; null before the first.';

CREATE FUNCTION fsgov.activate_policy(p_version text, p_text text, p_approval text, p_instead_of text,
    OUT sha256 text, OUT activated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy}');
    digest text := encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
    before fsgov.activations;
    rule   text := 'none';
    second boolean;
BEGIN
    LOCK TABLE fsgov.activations IN SHARE ROW EXCLUSIVE MODE;
    before := fsgov.activated();
    IF before.sha256 IS DISTINCT FROM p_instead_of THEN
        RAISE EXCEPTION 'another policy has come into force meanwhile' USING ERRCODE = 'FG409',
            DETAIL = coalesce(before.version || ' ' || before.sha256, 'none'), HINT = 'compare again: fsgov policy diff';
    END IF;
    IF before.sha256 = digest THEN
        RAISE EXCEPTION 'this policy is in force already' USING ERRCODE = 'FG409', DETAIL = before.version;
    END IF;
    IF p_version !~ '^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$' THEN
        RAISE EXCEPTION 'this is no name of a version' USING ERRCODE = 'FG422', DETAIL = p_version;
    END IF;
    IF EXISTS (SELECT FROM fsgov.activations a WHERE a.version = p_version AND a.sha256 <> digest) THEN
        RAISE EXCEPTION 'another text has had this version' USING ERRCODE = 'FG409', DETAIL = p_version,
            HINT = 'one version is one text for ever: give the document a new version';
    END IF;
    IF p_approval = 'two_persons'
       OR p_text ~ '(^|\n)\s*["'']?approval["'']?\s*=\s*["'']two_persons' THEN
        rule := 'two_persons';
    END IF;
    second := rule = 'two_persons' OR coalesce(before.approval = 'two_persons', false);
    activated := NOT second;
    INSERT INTO fsgov.policies (sha256, version, text) VALUES (digest, p_version, p_text) ON CONFLICT DO NOTHING;
    INSERT INTO fsgov.activations (sha256, version, approval, two_persons, proposed_by, activated_at)
        VALUES (digest, p_version, rule, second, person, CASE WHEN activated THEN now() END);
    IF activated THEN
        PERFORM fsgov.enter_from_desk(person, 'policy.activated', digest,
            jsonb_build_object('version', p_version, 'prior', before.sha256, 'proposed_by', person));
    ELSE
        PERFORM fsgov.enter_from_desk(person, 'policy.proposed', digest,
            jsonb_build_object('version', p_version, 'prior', before.sha256));
    END IF;
    activate_policy.sha256 := digest;
END $$;
COMMENT ON FUNCTION fsgov.activate_policy IS
    'Puts a policy in force in the place of p_instead_of (null: none yet), or proposes it where this document or the one in force wants two persons. Older proposals are superseded.';
GRANT EXECUTE ON FUNCTION fsgov.activate_policy TO fsgov_privacy;

CREATE FUNCTION fsgov.approve_policy(p_sha256 text, p_instead_of text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy,fsgov_supervisor}');
    before fsgov.activations;
    asked  fsgov.activations;
BEGIN
    LOCK TABLE fsgov.activations IN SHARE ROW EXCLUSIVE MODE;
    before := fsgov.activated();
    SELECT * INTO asked FROM fsgov.activations ORDER BY n DESC LIMIT 1;
    IF asked.sha256 IS DISTINCT FROM p_sha256 OR asked.activated_at IS NOT NULL THEN
        RAISE EXCEPTION 'this policy does not wait for approval' USING ERRCODE = 'FG409', DETAIL = p_sha256,
            HINT = 'only the newest proposal does: fsgov policy history';
    END IF;
    IF asked.proposed_by = person THEN
        RAISE EXCEPTION 'nobody approves what they have proposed' USING ERRCODE = 'FG403', DETAIL = asked.version,
            HINT = 'it takes another login: two persons';
    END IF;
    IF before.sha256 IS DISTINCT FROM p_instead_of THEN
        RAISE EXCEPTION 'another policy has come into force meanwhile' USING ERRCODE = 'FG409',
            DETAIL = coalesce(before.version || ' ' || before.sha256, 'none'), HINT = 'compare again: fsgov policy diff';
    END IF;
    UPDATE fsgov.activations SET approved_by = person, activated_at = now() WHERE n = asked.n;
    PERFORM fsgov.enter_from_desk(person, 'policy.activated', asked.sha256, jsonb_build_object(
        'version', asked.version, 'prior', before.sha256, 'proposed_by', asked.proposed_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_policy IS
    'The newest proposal comes into force; never by the login that proposed it.';
GRANT EXECUTE ON FUNCTION fsgov.approve_policy TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.policy_in_force(p_known text, OUT sha256 text, OUT text text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT a.sha256, CASE WHEN a.sha256 IS DISTINCT FROM p_known THEN p.text END
    FROM fsgov.activated() a LEFT JOIN fsgov.policies p ON p.sha256 = a.sha256
$$;
COMMENT ON FUNCTION fsgov.policy_in_force IS
    'For govern: digest of the activated policy (null: none yet), and its text where that is not p_known.';
GRANT EXECUTE ON FUNCTION fsgov.policy_in_force TO fsgov_govern;

-- -- rotation of keys --------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.key_counts() RETURNS TABLE (vault text, recipients text[], prior boolean, keys bigint,
    first_at timestamptz, last_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    PERFORM fsgov.operator('{fsgov_privacy,fsgov_auditor,fsgov_ops}');
    RETURN QUERY
        SELECT s.vault, k.recipients, false, count(*), min(k.entered_at), max(k.entered_at)
        FROM fsgov.segment_keys k JOIN fsgov.segments s USING (segment) GROUP BY 1, 2
        UNION ALL
        SELECT s.vault, k.prior_recipients, true, count(*), min(k.entered_at), max(k.entered_at)
        FROM fsgov.segment_keys k JOIN fsgov.segments s USING (segment) WHERE k.rotation IS NOT NULL GROUP BY 1, 2
        ORDER BY 1, 2, 3;
END $$;
COMMENT ON FUNCTION fsgov.key_counts IS
    'How many wrapped keys are sealed to whom, by vault and set of fingerprints; prior: still kept beside, until a rotation is confirmed.';
GRANT EXECUTE ON FUNCTION fsgov.key_counts TO fsgov_privacy, fsgov_auditor, fsgov_ops;

CREATE FUNCTION fsgov.ask_rotation(p_vault text, p_recipients text[], p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy}');
    id     text := fsgov.random_id('r-');
    wanted text[] := ARRAY(SELECT DISTINCT f FROM unnest(p_recipients) AS f ORDER BY 1);
BEGIN
    IF cardinality(wanted) = 0 OR EXISTS (SELECT FROM unnest(wanted) AS f WHERE f IS NULL OR f !~ '^[0-9a-f]{16}$') THEN
        RAISE EXCEPTION 'keys are sealed to recipients, by fingerprint' USING ERRCODE = 'FG422',
            DETAIL = array_to_string(p_recipients, ', ');
    END IF;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'a rotation needs a reason' USING ERRCODE = 'FG409', DETAIL = p_vault;
    END IF;
    IF EXISTS (SELECT FROM fsgov.rotations r WHERE r.vault = p_vault AND r.ended_at IS NULL) THEN
        RAISE EXCEPTION 'a rotation of this vault is under way' USING ERRCODE = 'FG409', DETAIL = p_vault,
            HINT = 'fsgov keys rotations; end that one first, or undo it';
    END IF;
    INSERT INTO fsgov.rotations (id, vault, recipients, reason, asked_by) VALUES (id, p_vault, wanted, p_reason, person);
    PERFORM fsgov.enter_from_desk(person, 'rotation.asked', id,
        jsonb_build_object('vault', p_vault, 'recipients', to_jsonb(wanted)));
    RETURN id;
END $$;
COMMENT ON FUNCTION fsgov.ask_rotation IS
    'The keys of this vault shall be sealed to exactly these recipients. Nothing leaves before another login approves.';
GRANT EXECUTE ON FUNCTION fsgov.ask_rotation TO fsgov_privacy;

CREATE FUNCTION fsgov.approve_rotation(p_rotation text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy,fsgov_supervisor}');
    asked  fsgov.rotations;
BEGIN
    SELECT * INTO asked FROM fsgov.rotations r WHERE r.id = p_rotation FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such rotation' USING ERRCODE = 'FG404', DETAIL = p_rotation;
    END IF;
    IF asked.approved_at IS NOT NULL OR asked.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'this rotation does not wait for approval' USING ERRCODE = 'FG409', DETAIL = p_rotation;
    END IF;
    IF asked.asked_by = person THEN
        RAISE EXCEPTION 'nobody approves what they have asked for' USING ERRCODE = 'FG403', DETAIL = p_rotation,
            HINT = 'it takes another login: two persons';
    END IF;
    UPDATE fsgov.rotations SET approved_by = person, approved_at = now() WHERE id = p_rotation;
    PERFORM fsgov.enter_from_desk(person, 'rotation.approved', p_rotation, jsonb_build_object('vault', asked.vault));
END $$;
COMMENT ON FUNCTION fsgov.approve_rotation IS 'Who asked for this rotation may carry it out; never approved by the login that asked.';
GRANT EXECUTE ON FUNCTION fsgov.approve_rotation TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.rotation_for(p_rotation text, p_step text) RETURNS fsgov.rotations
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy}');
    found_one fsgov.rotations;
BEGIN
    SELECT * INTO found_one FROM fsgov.rotations r WHERE r.id = p_rotation FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such rotation' USING ERRCODE = 'FG404', DETAIL = p_rotation;
    END IF;
    IF found_one.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'this rotation has ended' USING ERRCODE = 'FG409', DETAIL = p_rotation || ': ' || found_one.ended_as;
    END IF;
    IF found_one.approved_at IS NULL THEN
        RAISE EXCEPTION 'this rotation is not approved' USING ERRCODE = 'FG409', DETAIL = p_rotation,
            HINT = 'another login: fsgov keys approve ' || p_rotation;
    END IF;
    IF p_step = 'wrap' AND found_one.asked_by <> person THEN
        RAISE EXCEPTION 'a rotation is carried out by who asked for it' USING ERRCODE = 'FG403', DETAIL = p_rotation;
    END IF;
    IF p_step = 'confirm' AND found_one.asked_by = person THEN
        RAISE EXCEPTION 'nobody confirms what they have wrapped' USING ERRCODE = 'FG403', DETAIL = p_rotation,
            HINT = 'it takes another login: two persons';
    END IF;
    RETURN found_one;
END $$;
COMMENT ON FUNCTION fsgov.rotation_for IS 'Internal: the rotation, where this login may do this step of it now.';

CREATE FUNCTION fsgov.rotation_batch(p_rotation text, p_step text, p_after text, p_limit integer,
    OUT batch integer, OUT last text, OUT keys integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    asked fsgov.rotations := fsgov.rotation_for(p_rotation, p_step);
    these text[];
BEGIN
    IF p_step = 'wrap' THEN
        these := ARRAY(SELECT k.segment FROM fsgov.segment_keys k JOIN fsgov.segments s USING (segment)
            WHERE k.segment > p_after AND k.rotation IS NULL AND s.vault = asked.vault
                AND s.state NOT IN ('destroying', 'destroyed')
                AND NOT (k.recipients @> asked.recipients AND k.recipients <@ asked.recipients)
            ORDER BY k.segment LIMIT least(p_limit, 500));
    ELSIF p_step = 'confirm' THEN
        these := ARRAY(SELECT k.segment FROM fsgov.segment_keys k
            WHERE k.rotation = p_rotation AND k.segment > p_after ORDER BY k.segment LIMIT least(p_limit, 500));
    END IF;
    IF coalesce(cardinality(these), 0) = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7377472, hashtext(p_rotation));
    SELECT coalesce(max(b.n), 0) + 1 INTO batch FROM fsgov.rotation_batches b WHERE b.rotation = p_rotation;
    keys := cardinality(these);
    last := these[keys];
    INSERT INTO fsgov.rotation_batches (rotation, n, step, segments, person, login, xact)
        VALUES (p_rotation, batch, p_step, these, person, session_user, pg_current_xact_id());
    PERFORM fsgov.enter_from_desk(person, 'rotation.requested', p_rotation, jsonb_build_object('batch', batch,
        'step', p_step, 'keys', keys, 'sha256', encode(sha256(convert_to(array_to_string(these, E'\n'), 'UTF8')), 'hex')));
END $$;
COMMENT ON FUNCTION fsgov.rotation_batch IS
    'Asks for the next wrapped keys of a rotation, behind segment p_after; null: there are none. Commit, then release_batch.';
GRANT EXECUTE ON FUNCTION fsgov.rotation_batch TO fsgov_privacy;

CREATE FUNCTION fsgov.my_batch(p_rotation text, p_batch integer, p_step text) RETURNS fsgov.rotation_batches
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    asked fsgov.rotations;
    mine  fsgov.rotation_batches;
BEGIN
    SELECT * INTO mine FROM fsgov.rotation_batches b WHERE b.rotation = p_rotation AND b.n = p_batch
        AND b.login = session_user AND b.person = fsgov.me() AND b.step = coalesce(p_step, b.step) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this login has no such batch' USING ERRCODE = 'FG404', DETAIL = p_rotation || ' ' || p_batch;
    END IF;
    asked := fsgov.rotation_for(p_rotation, mine.step);
    RETURN mine;
END $$;
COMMENT ON FUNCTION fsgov.my_batch IS 'Internal: a batch that this login asked for, of a rotation that goes on.';

CREATE FUNCTION fsgov.release_batch(p_rotation text, p_batch integer) RETURNS TABLE (segment text, wrapped_key bytea,
    object_key text, version_id text, key_version_id text, accepted_loss boolean, copies text[], copy_versions text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    mine fsgov.rotation_batches := fsgov.my_batch(p_rotation, p_batch, NULL);
BEGIN
    IF mine.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'this batch has been used' USING ERRCODE = 'FG409', DETAIL = p_rotation || ' ' || p_batch,
            HINT = 'ask for another';
    END IF;
    IF pg_xact_status(mine.xact) IS DISTINCT FROM 'committed' THEN
        RAISE EXCEPTION 'this batch is not committed' USING ERRCODE = 'FG409', DETAIL = p_rotation || ' ' || p_batch,
            HINT = 'commit the request, then ask for the keys in a new transaction';
    END IF;
    UPDATE fsgov.rotation_batches b SET released_at = now() WHERE b.rotation = p_rotation AND b.n = p_batch;
    RETURN QUERY SELECT k.segment, k.wrapped_key, s.object_key, s.version_id, s.key_version_id,
            EXISTS (SELECT FROM fsgov.noted n WHERE n.kind = 'damaged-object' AND n.subject = k.segment),
            ARRAY(SELECT c.vault FROM fsgov.copies c WHERE c.segment = k.segment AND c.state = 'stored' ORDER BY c.vault),
            ARRAY(SELECT coalesce(c.key_version_id, '') FROM fsgov.copies c
                  WHERE c.segment = k.segment AND c.state = 'stored' ORDER BY c.vault)
        FROM fsgov.segment_keys k JOIN fsgov.segments s USING (segment)
        WHERE k.segment = ANY (mine.segments) ORDER BY k.segment;
END $$;
COMMENT ON FUNCTION fsgov.release_batch IS
    'The wrapped keys of a requested and committed batch, once, to the login that asked. Those destroyed since are not among them.';
GRANT EXECUTE ON FUNCTION fsgov.release_batch TO fsgov_privacy;

CREATE FUNCTION fsgov.lock_batch(p_rotation text, p_batch integer, p_segments text[], p_was bytea[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    mine fsgov.rotation_batches := fsgov.my_batch(p_rotation, p_batch, NULL);
BEGIN
    RETURN QUERY SELECT k.segment FROM fsgov.segment_keys k JOIN fsgov.segments s USING (segment)
            JOIN unnest(p_segments, p_was) AS u(segment, was) ON u.segment = k.segment
        WHERE NOT EXISTS (SELECT FROM fsgov.copies c WHERE c.segment = k.segment AND c.state = 'copying')
            AND k.segment = ANY (mine.segments) AND sha256(k.wrapped_key) = u.was
            AND k.rotation IS NOT DISTINCT FROM CASE mine.step WHEN 'confirm' THEN p_rotation END
        ORDER BY k.segment FOR UPDATE OF k, s;
END $$;
COMMENT ON FUNCTION fsgov.lock_batch IS
    'Which of these keys are still what was given out (p_was: their SHA-256); purge cannot destroy them, nor a copy of one be begun, before this transaction ends. What is put into the key bucket meanwhile is seen by a purge that comes after.';
GRANT EXECUTE ON FUNCTION fsgov.lock_batch TO fsgov_privacy;

CREATE FUNCTION fsgov.wrapped_batch(p_rotation text, p_batch integer, p_segments text[], p_was bytea[], p_keys bytea[],
    p_versions text[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    mine    fsgov.rotation_batches := fsgov.my_batch(p_rotation, p_batch, 'wrap');
    asked   fsgov.rotations := fsgov.rotation_for(p_rotation, 'wrap');
    written integer;
BEGIN
    IF mine.released_at IS NULL OR mine.settled_at IS NOT NULL THEN
        RAISE EXCEPTION 'this batch is not out' USING ERRCODE = 'FG409', DETAIL = p_rotation || ' ' || p_batch;
    END IF;
    WITH new AS (
        SELECT u.* FROM unnest(p_segments, p_was, p_keys, p_versions) AS u(segment, was, key, version)
        WHERE u.segment = ANY (mine.segments) AND substring(u.key FROM 1 FOR 22) = '\x6167652d656e6372797074696f6e2e6f72672f76310a'::bytea
    ), done AS (
        UPDATE fsgov.segment_keys k SET rotation = p_rotation, prior_key = k.wrapped_key, prior_recipients = k.recipients,
            prior_version = s.key_version_id, wrapped_key = new.key, recipients = asked.recipients
        FROM new JOIN fsgov.segments s ON s.segment = new.segment
        WHERE k.segment = new.segment AND k.rotation IS NULL AND s.vault = asked.vault
            AND sha256(k.wrapped_key) = new.was AND k.wrapped_key <> new.key
        RETURNING k.segment, new.version
    ), moved AS (
        UPDATE fsgov.segments s SET key_version_id = done.version FROM done WHERE s.segment = done.segment
        RETURNING s.segment
    )
    SELECT count(*) INTO written FROM moved;
    UPDATE fsgov.rotation_batches b SET settled_at = now(), settled = written WHERE b.rotation = p_rotation AND b.n = p_batch;
    PERFORM fsgov.enter_from_desk(person, 'rotation.wrapped', p_rotation,
        jsonb_build_object('batch', p_batch, 'keys', written, 'left', cardinality(mine.segments) - written));
    RETURN written;
END $$;
COMMENT ON FUNCTION fsgov.wrapped_batch IS
    'Keys sealed anew (age files), with their versions in the key bucket: written where the row is still what was given out (p_was). What it was before stays beside until confirm_batch. Answers how many.';
GRANT EXECUTE ON FUNCTION fsgov.wrapped_batch TO fsgov_privacy;

CREATE FUNCTION fsgov.copied_batch(p_rotation text, p_batch integer, p_segments text[], p_vaults text[], p_versions text[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    mine fsgov.rotation_batches := fsgov.my_batch(p_rotation, p_batch, 'confirm');
BEGIN
    UPDATE fsgov.copies c SET key_version_id = u.version
    FROM unnest(p_segments, p_vaults, p_versions) AS u(segment, vault, version)
    WHERE c.segment = u.segment AND c.vault = u.vault AND c.state = 'stored' AND u.segment = ANY (mine.segments);
END $$;
COMMENT ON FUNCTION fsgov.copied_batch IS
    'Keys of copies in other vaults, as they are named there now: the confirmed ones have taken their place.';
GRANT EXECUTE ON FUNCTION fsgov.copied_batch TO fsgov_privacy;

CREATE FUNCTION fsgov.confirm_batch(p_rotation text, p_batch integer, p_segments text[], p_was bytea[], p_locked integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    mine   fsgov.rotation_batches := fsgov.my_batch(p_rotation, p_batch, 'confirm');
    opened integer;
BEGIN
    IF mine.released_at IS NULL OR mine.settled_at IS NOT NULL THEN
        RAISE EXCEPTION 'this batch is not out' USING ERRCODE = 'FG409', DETAIL = p_rotation || ' ' || p_batch;
    END IF;
    UPDATE fsgov.segment_keys k SET rotation = NULL, prior_key = NULL, prior_recipients = NULL, prior_version = NULL
    FROM unnest(p_segments, p_was) AS u(segment, was)
    WHERE k.segment = u.segment AND u.segment = ANY (mine.segments) AND k.rotation = p_rotation
        AND sha256(k.wrapped_key) = u.was;
    GET DIAGNOSTICS opened = ROW_COUNT;
    UPDATE fsgov.rotation_batches b SET settled_at = now(), settled = opened WHERE b.rotation = p_rotation AND b.n = p_batch;
    PERFORM fsgov.enter_from_desk(person, 'rotation.confirmed', p_rotation,
        jsonb_build_object('batch', p_batch, 'keys', opened, 'locked', p_locked));
    RETURN opened;
END $$;
COMMENT ON FUNCTION fsgov.confirm_batch IS
    'Another login than the one that wrapped them has opened these: what they were before is destroyed. p_locked: older versions in the key bucket that a lock still keeps. Answers how many.';
GRANT EXECUTE ON FUNCTION fsgov.confirm_batch TO fsgov_privacy;

CREATE FUNCTION fsgov.rotation_left(p_rotation text, OUT to_wrap bigint, OUT to_confirm bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    PERFORM fsgov.operator('{fsgov_privacy,fsgov_supervisor,fsgov_auditor}');
    SELECT count(*) FILTER (WHERE k.rotation IS NULL
               AND NOT (k.recipients @> r.recipients AND k.recipients <@ r.recipients)
               AND s.state NOT IN ('destroying', 'destroyed')),
           count(*) FILTER (WHERE k.rotation = r.id)
    INTO to_wrap, to_confirm
    FROM fsgov.rotations r JOIN fsgov.segments s ON s.vault = r.vault JOIN fsgov.segment_keys k USING (segment)
    WHERE r.id = p_rotation;
END $$;
COMMENT ON FUNCTION fsgov.rotation_left IS 'How many keys of its vault a rotation has still to wrap, and to have confirmed.';
GRANT EXECUTE ON FUNCTION fsgov.rotation_left TO fsgov_privacy, fsgov_supervisor, fsgov_auditor;

CREATE FUNCTION fsgov.end_rotation(p_rotation text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    asked fsgov.rotations := fsgov.rotation_for(p_rotation, 'confirm');
    still record;
BEGIN
    still := fsgov.rotation_left(p_rotation);
    IF still.to_wrap > 0 OR still.to_confirm > 0 THEN
        RETURN false;
    END IF;
    UPDATE fsgov.rotations SET ended_by = person, ended_at = now(), ended_as = 'confirmed' WHERE id = p_rotation;
    PERFORM fsgov.enter_from_desk(person, 'rotation.ended', p_rotation, jsonb_build_object('outcome', 'confirmed'));
    RETURN true;
END $$;
COMMENT ON FUNCTION fsgov.end_rotation IS
    'The rotation is over. False: keys are left to wrap or to confirm, and it goes on.';
GRANT EXECUTE ON FUNCTION fsgov.end_rotation TO fsgov_privacy;

CREATE FUNCTION fsgov.undo_rotation(p_rotation text, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy}');
    asked  fsgov.rotations;
    back   bigint;
BEGIN
    SELECT * INTO asked FROM fsgov.rotations r WHERE r.id = p_rotation FOR UPDATE;
    IF NOT FOUND OR asked.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'there is no such rotation under way' USING ERRCODE = 'FG404', DETAIL = p_rotation;
    END IF;
    WITH these AS (
        SELECT k.segment, k.prior_version FROM fsgov.segment_keys k WHERE k.rotation = p_rotation
        ORDER BY k.segment LIMIT p_limit FOR UPDATE
    ), keys AS (
        UPDATE fsgov.segment_keys k SET wrapped_key = k.prior_key, recipients = k.prior_recipients, rotation = NULL,
            prior_key = NULL, prior_recipients = NULL, prior_version = NULL
        FROM these WHERE k.segment = these.segment
    )
    UPDATE fsgov.segments s SET key_version_id = these.prior_version FROM these WHERE s.segment = these.segment;
    GET DIAGNOSTICS back = ROW_COUNT;
    IF back < p_limit THEN
        UPDATE fsgov.rotations SET ended_by = person, ended_at = now(), ended_as = 'undone' WHERE id = p_rotation;
        PERFORM fsgov.enter_from_desk(person, 'rotation.ended', p_rotation, jsonb_build_object('outcome', 'undone'));
    END IF;
    RETURN back;
END $$;
COMMENT ON FUNCTION fsgov.undo_rotation IS
    'Keys that are wrapped and not confirmed are as before, at most p_limit; answers how many, and with fewer the rotation is over.';
GRANT EXECUTE ON FUNCTION fsgov.undo_rotation TO fsgov_privacy;

-- -- the kill switch ---------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.place_stop(p_kind text, p_what text, p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    mine   text[] := ARRAY(SELECT fsgov.my_tenants());
    stop   text := fsgov.random_id('s-');
    whose  text;
BEGIN
    IF NOT (fsgov.in_role(session_user, 'fsgov_privacy') OR fsgov.in_role(session_user, 'fsgov_supervisor')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'stops are for fsgov_supervisor and fsgov_privacy';
    END IF;
    IF coalesce(p_what, '') = '' OR p_kind NOT IN ('number', 'tenant', 'host') OR (p_kind = 'tenant' AND p_what = '*') THEN
        RAISE EXCEPTION 'a stop is for a number, a tenant or a host' USING ERRCODE = 'FG422', DETAIL = p_kind;
    END IF;
    whose := CASE WHEN p_kind = 'tenant' THEN p_what
                  WHEN '*' = ANY (mine) THEN '*'
                  WHEN p_kind = 'number' AND cardinality(mine) = 1 THEN mine[1] END;
    IF whose IS NULL OR NOT (whose = ANY (mine) OR '*' = ANY (mine)) THEN
        RAISE EXCEPTION 'this login may not stop that' USING ERRCODE = 'FG403', DETAIL = p_kind,
            HINT = 'a host, or a number in several tenants, is stopped by somebody of every tenant';
    END IF;
    INSERT INTO fsgov.stops (id, tenant, kind, number, host, reason, placed_by) VALUES (stop, whose, p_kind,
        CASE p_kind WHEN 'number' THEN p_what END, CASE p_kind WHEN 'host' THEN p_what END, coalesce(p_reason, ''), person);
    PERFORM fsgov.enter_from_desk(person, 'stop.placed', stop, jsonb_build_object('kind', p_kind));
    RETURN stop;
END $$;
COMMENT ON FUNCTION fsgov.place_stop IS
    'No recording from now on for this number (number), tenant or host; the answer is the id of the stop.';
GRANT EXECUTE ON FUNCTION fsgov.place_stop TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.lift_stop(p_stop text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    placed fsgov.stops;
BEGIN
    IF NOT (fsgov.in_role(session_user, 'fsgov_privacy') OR fsgov.in_role(session_user, 'fsgov_supervisor')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user;
    END IF;
    UPDATE fsgov.stops s SET lifted_by = person, lifted_at = now()
    WHERE s.id = p_stop AND s.lifted_at IS NULL
        AND (s.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants()))
    RETURNING * INTO placed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such stop in force' USING ERRCODE = 'FG404', DETAIL = p_stop, HINT = 'fsgov stop --list';
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'stop.lifted', p_stop, jsonb_build_object('kind', placed.kind));
END $$;
COMMENT ON FUNCTION fsgov.lift_stop IS 'This stop is over; calls are recorded again as their rules say.';
GRANT EXECUTE ON FUNCTION fsgov.lift_stop TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.stops_in_force() RETURNS TABLE (id text, tenant text, kind text, number text, host text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT s.id, s.tenant, s.kind, s.number, s.host FROM fsgov.stops s WHERE s.lifted_at IS NULL ORDER BY s.id
$$;
COMMENT ON FUNCTION fsgov.stops_in_force IS 'For govern: what may not be recorded now.';
GRANT EXECUTE ON FUNCTION fsgov.stops_in_force TO fsgov_govern;

-- -- differences -------------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.adopt_object(p_segment text, p_vault text, p_key text, p_version text, p_key_version text,
    p_size bigint, p_sha256 text, p_wrapped_key bytea, p_stored_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
    owner  text := split_part(p_key, '/', 1);
    whose  text := regexp_replace(p_segment, '-[0-9]{2,}$', '');
BEGIN
    IF p_segment !~ '^[0-9A-Za-z-]{1,64}-[0-9]{2,}$' OR p_key !~ ('^[^/]+/[0-9]{4}/[0-9]{2}/' || p_segment || '[.]age$')
       OR EXISTS (SELECT FROM fsgov.calls c WHERE c.call = whose AND c.tenant <> owner) THEN
        RAISE EXCEPTION 'this object is no segment of that tenant' USING ERRCODE = 'FG422', DETAIL = p_key;
    END IF;
    IF EXISTS (SELECT FROM fsgov.erased e WHERE e.segment = p_segment) THEN
        RAISE EXCEPTION 'this recording was destroyed' USING ERRCODE = 'FG409', DETAIL = p_segment,
            HINT = 'what brought its object back must not; fsgov purge certificate ' || p_segment;
    END IF;
    DELETE FROM fsgov.segments s WHERE s.segment = p_segment AND s.adopted = 'lost';
    INSERT INTO fsgov.segments (segment, call, tenant, leg, n, state, rule, policy_sha256, findings, quarantine,
        review_by, vault, object_key, version_id, key_version_id, sealed_size, sealed_sha256, stored_at, adopted)
    SELECT p_segment, whose, owner, '', substring(p_segment FROM '[0-9]+$')::integer, 'quarantined', c.rule,
        c.policy_sha256, '{"adopted: what is inside was not checked"}', 'adopted', now() + interval '24 hours',
        p_vault, p_key, p_version, p_key_version, p_size, p_sha256, p_stored_at, 'vault'
    FROM (SELECT) AS one LEFT JOIN fsgov.calls c ON c.call = whose
    ON CONFLICT (segment) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this segment has a row' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    INSERT INTO fsgov.segment_keys (segment, tenant, wrapped_key, recipients) VALUES (p_segment, owner, p_wrapped_key, '{}');
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_segment,
        '{"kind": "orphan-object", "outcome": null}');
END $$;
COMMENT ON FUNCTION fsgov.adopt_object IS
    'A stored object that lost its row gets one, quarantined: nobody knows what is inside. Its wrapped key comes from the key bucket.';
GRANT EXECUTE ON FUNCTION fsgov.adopt_object TO fsgov_ops;

CREATE FUNCTION fsgov.adopt_artefact(p_artefact text, p_vault text, p_key text, p_version text, p_size bigint, p_sha256 text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
    about  fsgov.segments;
BEGIN
    SELECT * INTO about FROM fsgov.segments s
    WHERE p_key = regexp_replace(s.object_key, '[.]age$', '') || '/' || p_artefact || '.age'
        AND s.segment = split_part(p_key, '/', 4) AND s.vault = p_vault FOR SHARE;
    IF p_artefact !~ '^d-[a-z]{8,32}$' OR about.state IS NULL OR about.state NOT IN ('stored', 'quarantined') THEN
        RAISE EXCEPTION 'this object belongs to no recording in that vault' USING ERRCODE = 'FG409', DETAIL = p_key;
    END IF;
    INSERT INTO fsgov.artefacts (artefact, segment, tenant, state, kind, media_type, purpose, size, sealed_size,
        sealed_sha256, vault, object_key, version_id, attached_by, stored_at)
    VALUES (p_artefact, about.segment, about.tenant, 'stored', 'adopted', 'application/octet-stream', '', p_size, p_size,
        p_sha256, p_vault, p_key, p_version, person, now())
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this artefact has a row' USING ERRCODE = 'FG409', DETAIL = p_artefact;
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_artefact,
        '{"kind": "orphan-object", "outcome": null}');
END $$;
COMMENT ON FUNCTION fsgov.adopt_artefact IS
    'What was made of a recording and has lost its row gets one, of kind adopted and for no purpose of it: it is opened for an audit or a complaint alone, and destroyed with its recording.';
GRANT EXECUTE ON FUNCTION fsgov.adopt_artefact TO fsgov_ops;

CREATE FUNCTION fsgov.mark_object(p_segment text, p_kind text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
    result text := CASE p_kind WHEN 'row-without-object' THEN 'missing' WHEN 'truncated-object' THEN 'truncated' END;
BEGIN
    IF result IS NULL THEN
        RAISE EXCEPTION 'no object is marked for that' USING ERRCODE = 'FG422', DETAIL = p_kind;
    END IF;
    INSERT INTO fsgov.scrubs AS r (segment, artefact, tenant, verdict)
    SELECT s.segment, '', s.tenant, result FROM fsgov.segments s
    WHERE s.segment = p_segment AND s.state IN ('stored', 'quarantined')
    UNION ALL
    SELECT a.segment, a.artefact, a.tenant, result FROM fsgov.artefacts a WHERE a.artefact = p_segment AND a.state = 'stored'
    ON CONFLICT (segment, artefact) DO UPDATE SET verdict = result, since = now(), looked_at = NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this segment has no object' USING ERRCODE = 'FG404', DETAIL = p_segment;
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_segment,
        jsonb_build_object('kind', p_kind, 'outcome', null));
END $$;
COMMENT ON FUNCTION fsgov.mark_object IS
    'The vault lacks the object of this row (a segment, or an artefact), or has another length of it: keep raises its alarm until it is whole again.';
GRANT EXECUTE ON FUNCTION fsgov.mark_object TO fsgov_ops;

CREATE FUNCTION fsgov.restored_object(p_segment text, p_version text, p_sha256 text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
BEGIN
    UPDATE fsgov.segments s SET version_id = p_version
    WHERE s.segment = p_segment AND s.sealed_sha256 = p_sha256 AND s.state IN ('stored', 'quarantined');
    IF NOT FOUND THEN
        UPDATE fsgov.artefacts a SET version_id = p_version
        WHERE a.artefact = p_segment AND a.sealed_sha256 = p_sha256 AND a.state = 'stored';
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'these are not the bytes of this segment' USING ERRCODE = 'FG422', DETAIL = p_segment;
    END IF;
    UPDATE fsgov.scrubs r SET looked_at = NULL WHERE r.segment = p_segment AND r.artefact = '';
    UPDATE fsgov.scrubs r SET looked_at = NULL FROM fsgov.artefacts a
    WHERE a.artefact = p_segment AND r.segment = a.segment AND r.artefact = a.artefact;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_segment,
        '{"kind": "restored-object", "outcome": null}');
END $$;
COMMENT ON FUNCTION fsgov.restored_object IS
    'The object of this row (a segment, or an artefact) was lost, and is back as another version: the row names that one. keep looks at it next, and clears its alarm.';
GRANT EXECUTE ON FUNCTION fsgov.restored_object TO fsgov_ops;

CREATE FUNCTION fsgov.settle_call(p_call text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
    result text;
BEGIN
    UPDATE fsgov.calls c SET outcome_cause = CASE WHEN c.merged_into IS NULL THEN 'lost' ELSE '' END, outcome = CASE
        WHEN c.merged_into IS NOT NULL THEN 'merged'
        WHEN EXISTS (SELECT FROM fsgov.consents n WHERE n.call = p_call AND n.state = 'withdrawn'
                     AND n.purpose = c.decision ->> 'asks_for' AND c.decision ->> 'consent' <> 'statutory') THEN 'withdrawn'
        WHEN EXISTS (SELECT FROM fsgov.segments s WHERE s.call = p_call AND coalesce(s.frames, 1) > 0
                     AND s.state <> 'missing') THEN 'recorded-in-part'
        WHEN EXISTS (SELECT FROM fsgov.consents n WHERE n.call = p_call AND n.state = 'refused'
                     AND n.purpose = c.decision ->> 'asks_for' AND c.decision ->> 'consent' <> 'statutory') THEN 'refused'
        WHEN c.decision ->> 'record' = 'never' THEN 'not-required'
        WHEN c.answered_at IS NULL THEN 'not-answered'
        ELSE 'failed' END
    WHERE c.call = p_call AND c.outcome IS NULL RETURNING c.outcome INTO result;
    IF result IS NULL THEN
        RAISE EXCEPTION 'this call has its outcome, or is none' USING ERRCODE = 'FG409', DETAIL = p_call;
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_call,
        jsonb_build_object('kind', 'call-without-outcome', 'outcome', result));
    RETURN result;
END $$;
COMMENT ON FUNCTION fsgov.settle_call IS
    'A call whose host knows it no more gets the outcome that its rows prove, with cause lost. A later revision of its call file still takes its place.';
GRANT EXECUTE ON FUNCTION fsgov.settle_call TO fsgov_ops;

CREATE FUNCTION fsgov.miss_segment(p_segment text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
BEGIN
    INSERT INTO fsgov.segments (segment, call, tenant, leg, n, state, rule, policy_sha256, findings, vault, adopted)
    SELECT p_segment, c.call, c.tenant, '', substring(p_segment FROM '[0-9]+$')::integer, 'missing', c.rule,
        c.policy_sha256, '{"lost: neither its host nor a vault has it"}', '', 'lost'
    FROM fsgov.calls c WHERE p_segment = ANY (c.segments)
    ON CONFLICT (segment) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no call misses this segment' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_segment,
        '{"kind": "segment-without-row", "outcome": null}');
END $$;
COMMENT ON FUNCTION fsgov.miss_segment IS
    'A segment that its call names and nobody has gets a row in state missing, so that everything is accounted for.';
GRANT EXECUTE ON FUNCTION fsgov.miss_segment TO fsgov_ops;

CREATE FUNCTION fsgov.note_difference(p_kind text, p_subject text, p_entry text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
BEGIN
    INSERT INTO fsgov.noted (kind, subject, noted_by) VALUES (p_kind, p_subject, person) ON CONFLICT DO NOTHING;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_entry,
        jsonb_build_object('kind', p_kind, 'outcome', null));
END $$;
COMMENT ON FUNCTION fsgov.note_difference IS
    'This difference is known: it is not told again. p_entry is what the line calls it: an id, never the name of a file.';
GRANT EXECUTE ON FUNCTION fsgov.note_difference TO fsgov_ops;

CREATE FUNCTION fsgov.difference_resolved(p_kind text, p_entry text, p_found_as text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
BEGIN
    INSERT INTO fsgov.provenance (segment, found_as, found_by)
    SELECT p_entry, p_found_as, person WHERE p_found_as IS NOT NULL ON CONFLICT DO NOTHING;
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_entry,
        jsonb_build_object('kind', p_kind, 'outcome', null));
END $$;
COMMENT ON FUNCTION fsgov.difference_resolved IS
    'A difference was resolved on a host: a file (its name is p_found_as) handed over to ship, a recording stopped on the switch.';
GRANT EXECUTE ON FUNCTION fsgov.difference_resolved TO fsgov_ops;

GRANT EXECUTE ON FUNCTION fsgov.whoami, fsgov.my_tenants TO fsgov_agent, fsgov_supervisor, fsgov_privacy, fsgov_auditor,
    fsgov_ops, fsgov_integrator, fsgov_govern, fsgov_ship, fsgov_keep;
GRANT EXECUTE ON FUNCTION fsgov.people_of_hosts TO fsgov_govern;


-- == Retention =============================================================================================

-- keep judges every recording; whose they are it does not see
CREATE INDEX calls_merged ON fsgov.calls (merged_into) WHERE merged_into IS NOT NULL;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['segments', 'consents', 'anchors', 'periods', 'retention_moves', 'policies'] LOOP
        EXECUTE format('CREATE POLICY keep ON fsgov.%I FOR SELECT TO fsgov_keep USING (true)', name);
    END LOOP;
END $$;
GRANT SELECT (ended_at, merged_into) ON fsgov.calls TO fsgov_keep;
GRANT SELECT (segment, call, tenant, state, purposes, policy_sha256, dispose, quarantine, review_by, closed_at, stored_at,
    entered_at, sealed_size, vault) ON fsgov.segments TO fsgov_keep;
GRANT SELECT ON fsgov.policies TO fsgov_keep;
GRANT SELECT (basis) ON fsgov.segments TO fsgov_keep;
GRANT SELECT (call, purpose, state) ON fsgov.consents TO fsgov_keep;
GRANT SELECT ON fsgov.anchors, fsgov.periods, fsgov.retention_moves
    TO fsgov_keep, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
-- who sets an anchor wants to know in which time zone
GRANT SELECT ON fsgov.periods TO fsgov_integrator;
GRANT SELECT (n, from_sha256, to_sha256, applied_at) ON fsgov.retention_moves TO fsgov_integrator;

CREATE FUNCTION fsgov.set_anchor(p_call text, p_event text, p_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    owner  text;
    prior  timestamptz;
    theirs boolean;
BEGIN
    IF NOT (fsgov.in_role(session_user, 'fsgov_supervisor') OR fsgov.in_role(session_user, 'fsgov_privacy')
            OR fsgov.in_role(session_user, 'fsgov_integrator')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'anchors are for fsgov_supervisor, fsgov_privacy and fsgov_integrator';
    END IF;
    SELECT c.tenant INTO owner FROM fsgov.calls c WHERE c.call = p_call
        AND (c.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such call' USING ERRCODE = 'FG404', DETAIL = p_call;
    END IF;
    IF p_event IS NULL OR p_event NOT IN ('contract_end', 'last_activity', 'case_closed') THEN
        RAISE EXCEPTION 'this is no event that a period starts from' USING ERRCODE = 'FG422', DETAIL = p_event,
            HINT = 'contract_end, last_activity or case_closed';
    END IF;
    IF p_at < timestamptz '1970-01-01 00:00+00' OR p_at > now() + interval '100 years' THEN
        RAISE EXCEPTION 'this is no day that a period could start from' USING ERRCODE = 'FG422', DETAIL = p_at::text;
    END IF;
    SELECT a.at, a.set_by IS NOT NULL INTO prior, theirs FROM fsgov.anchors a
        WHERE a.call = p_call AND a.event = p_event FOR UPDATE;
    IF prior IS NOT DISTINCT FROM p_at AND (theirs OR prior IS NULL) THEN
        RETURN prior;
    END IF;
    INSERT INTO fsgov.anchors AS a (call, event, tenant, at, set_by) VALUES (p_call, p_event, owner, p_at, person)
    ON CONFLICT (call, event) DO UPDATE SET at = excluded.at, set_by = person, set_at = now();
    PERFORM fsgov.enter_from_desk(person, 'anchor.set', p_call, jsonb_build_object('event', p_event,
        'at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'prior', to_char(prior AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
    RETURN prior;
END $$;
COMMENT ON FUNCTION fsgov.set_anchor IS
    'This event of the call was, or will be, then (null: nobody knows any more). Answers what was there before. Setting the same again changes nothing.';
GRANT EXECUTE ON FUNCTION fsgov.set_anchor TO fsgov_supervisor, fsgov_privacy, fsgov_integrator;

CREATE FUNCTION fsgov.enter_periods(p_policy text, p_periods jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM fsgov.periods r WHERE r.policy = p_policy) THEN
        RETURN;
    END IF;
    -- one that this server does not know would make every access fail: refused here, once
    PERFORM now() AT TIME ZONE (r ->> 'timezone') FROM jsonb_array_elements(p_periods) AS r;
    INSERT INTO fsgov.periods (policy, purpose, basis, timezone, retain_min, retain_max, anchor, anchor_plus, fallback_plus)
    SELECT p_policy, r ->> 'purpose', r ->> 'basis', r ->> 'timezone', (r ->> 'retain_min')::interval,
        (r ->> 'retain_max')::interval, r ->> 'anchor', (r ->> 'anchor_plus')::interval, (r ->> 'fallback_plus')::interval
    FROM jsonb_array_elements(p_periods) AS r
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION fsgov.enter_periods IS 'What keep has read in the text of this policy. A policy that has its periods keeps them.';
GRANT EXECUTE ON FUNCTION fsgov.enter_periods TO fsgov_keep;

CREATE FUNCTION fsgov.judged_by(p_sha256 text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce((SELECT m.to_sha256 FROM fsgov.retention_moves m
                     WHERE m.applied_at IS NOT NULL AND p_sha256 = ANY (m.from_sha256) ORDER BY m.n DESC LIMIT 1), p_sha256)
$$;
COMMENT ON FUNCTION fsgov.judged_by IS 'Internal: the policy whose periods count for what was captured under this one.';

CREATE FUNCTION fsgov.purpose_ends(p_segment text)
RETURNS TABLE (purpose text, place bigint, must_until timestamptz, may_until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH RECURSIVE about AS (
        SELECT s.call, s.purposes, fsgov.judged_by(s.policy_sha256) AS policy,
               coalesce(c.ended_at, s.closed_at, s.stored_at, s.entered_at) AS ended
        FROM fsgov.segments s LEFT JOIN fsgov.calls c USING (call) WHERE s.segment = p_segment),
    whole(call) AS (
        SELECT a.call FROM about a
        UNION SELECT c.merged_into FROM whole w JOIN fsgov.calls c USING (call) WHERE c.merged_into IS NOT NULL),
    started AS (
        SELECT u.purpose, u.place, r.timezone, r.retain_min, r.retain_max,
               greatest(a.ended, n.at) AS start,
               CASE WHEN r.anchor = 'call_end' OR n.at IS NOT NULL THEN r.anchor_plus
                    ELSE coalesce(r.fallback_plus, interval '0') END AS plus
        FROM about a CROSS JOIN unnest(a.purposes) WITH ORDINALITY AS u(purpose, place)
        LEFT JOIN fsgov.periods r ON r.policy = a.policy AND r.purpose = u.purpose
        LEFT JOIN LATERAL (SELECT max(x.at) AS at FROM whole w JOIN fsgov.anchors x USING (call)
                           WHERE x.event = r.anchor) AS n ON true)
    SELECT t.purpose, t.place,
        CASE WHEN t.retain_min <> interval '0' THEN
            (((t.start AT TIME ZONE t.timezone)::date + (t.plus + t.retain_min))::date + 1)::timestamp
            AT TIME ZONE t.timezone END,
        (((t.start AT TIME ZONE t.timezone)::date + (t.plus + t.retain_max))::date + 1)::timestamp AT TIME ZONE t.timezone
    FROM started t
$$;
COMMENT ON FUNCTION fsgov.purpose_ends IS
    'Internal: until when this segment must (null: no minimum) and may (null: nobody knows) be kept for each of its purposes. As fsgov/retention/periods.py says it.';

CREATE FUNCTION fsgov.live_purposes(p_segment text) RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(array_agg(e.purpose ORDER BY e.place), '{}') FROM fsgov.purpose_ends(p_segment) e
    WHERE (e.may_until IS NULL OR e.may_until > now())
        AND EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = p_segment AND NOT s.dispose
                    AND s.state IN ('stored', 'quarantined'))
$$;
COMMENT ON FUNCTION fsgov.live_purposes IS
    'Internal: the purposes that this segment may still be used for, as far as time says: those that are not over, in their order. None where it waits for its destruction. One whose period nobody knows is not over.';

CREATE FUNCTION fsgov.is_due(p_segment text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = p_segment AND s.state = 'stored' AND NOT s.dispose
            AND fsgov.live_purposes(p_segment) = '{}')
        OR EXISTS (SELECT FROM fsgov.plan_items i JOIN fsgov.plans p ON p.id = i.plan WHERE i.segment = p_segment
            AND p.state IN ('proposed', 'approved', 'applying', 'waiting') AND p.expires_at > now())
$$;
COMMENT ON FUNCTION fsgov.is_due IS
    'Internal: whether this recording is to be destroyed soon: all its purposes are over, or somebody has proposed it.';

CREATE FUNCTION fsgov.propose_retention(p_from text[], p_to text, p_reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy}');
    result bigint;
BEGIN
    LOCK TABLE fsgov.retention_moves IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM fsgov.policies p WHERE p.sha256 = p_to) THEN
        RAISE EXCEPTION 'there is no such policy in the catalog' USING ERRCODE = 'FG404', DETAIL = p_to;
    END IF;
    IF coalesce(cardinality(p_from), 0) = 0 OR EXISTS (SELECT FROM unnest(p_from) AS f WHERE coalesce(f, '') !~ '^[0-9a-f]{64}$') THEN
        RAISE EXCEPTION 'these are no digests of policies' USING ERRCODE = 'FG422', DETAIL = array_to_string(p_from, ', ');
    END IF;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'other periods need a reason' USING ERRCODE = 'FG409', DETAIL = p_to;
    END IF;
    INSERT INTO fsgov.retention_moves (from_sha256, to_sha256, reason, proposed_by) VALUES (p_from, p_to, p_reason, person)
        RETURNING n INTO result;
    PERFORM fsgov.enter_from_desk(person, 'retention.proposed', p_to,
        jsonb_build_object('move', result, 'from', to_jsonb(p_from)));
    RETURN result;
END $$;
COMMENT ON FUNCTION fsgov.propose_retention IS
    'What was captured under p_from shall be judged by the periods of p_to, as soon as another login approves. Older proposals are superseded.';
GRANT EXECUTE ON FUNCTION fsgov.propose_retention TO fsgov_privacy;

CREATE FUNCTION fsgov.approve_retention(p_n bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy,fsgov_supervisor}');
    asked  fsgov.retention_moves;
BEGIN
    LOCK TABLE fsgov.retention_moves IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO asked FROM fsgov.retention_moves ORDER BY n DESC LIMIT 1;
    IF asked.n IS DISTINCT FROM p_n OR asked.applied_at IS NOT NULL THEN
        RAISE EXCEPTION 'this does not wait for approval' USING ERRCODE = 'FG409', DETAIL = p_n::text,
            HINT = 'only the newest proposal does: fsgov retention history';
    END IF;
    IF person = asked.proposed_by THEN
        RAISE EXCEPTION 'nobody approves what they have proposed' USING ERRCODE = 'FG403', DETAIL = p_n::text,
            HINT = 'it takes another login: two persons';
    END IF;
    UPDATE fsgov.retention_moves SET approved_by = person, applied_at = now() WHERE n = p_n;
    PERFORM fsgov.enter_from_desk(person, 'retention.applied', asked.to_sha256, jsonb_build_object(
        'move', p_n, 'from', to_jsonb(asked.from_sha256), 'proposed_by', asked.proposed_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_retention IS
    'The newest proposal counts from now on; never by the login that proposed it.';
GRANT EXECUTE ON FUNCTION fsgov.approve_retention TO fsgov_privacy, fsgov_supervisor;



CREATE FUNCTION fsgov.planned_segments() RETURNS TABLE (segment text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT DISTINCT i.segment FROM fsgov.plans p JOIN fsgov.plan_items i ON i.plan = p.id
    WHERE (p.state IN ('approved', 'applying') AND p.expires_at > now() OR p.state = 'waiting')
        AND i.state IN ('planned', 'held', 'scheduled', 'destroying')
        AND (NOT EXISTS (SELECT FROM fsgov.people p WHERE p.login = session_user)
             OR i.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants()))
$$;
COMMENT ON FUNCTION fsgov.planned_segments IS
    'Recordings that two persons have let be destroyed and that are not yet: they are not overdue. People see those of their tenants.';
GRANT EXECUTE ON FUNCTION fsgov.planned_segments TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops, fsgov_keep;

CREATE FUNCTION fsgov.forget_calls(p_before timestamptz, p_after text, p_limit integer, OUT forgotten bigint, OUT last text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    old    text;
    whom   integer;
    needed boolean;
    looked bigint;
BEGIN
    forgotten := 0;
    PERFORM fsgov.lock_holds(false);
    SELECT count(*), max(w.call) INTO looked, last
    FROM (SELECT c.call FROM fsgov.calls c WHERE c.call > p_after ORDER BY c.call LIMIT p_limit) AS w;
    FOR old IN SELECT c.call FROM fsgov.calls c
            WHERE c.call > p_after AND c.call <= last AND c.outcome IS NOT NULL AND coalesce(c.ended_at, c.opened_at) < p_before
                AND (c.inputs IS NOT NULL OR EXISTS (SELECT FROM fsgov.tags t WHERE t.call = c.call)
                     OR EXISTS (SELECT FROM fsgov.parties p WHERE p.call = c.call
                                AND (p.number IS NOT NULL OR p.e164 IS NOT NULL OR p.facts IS NOT NULL)))
                AND NOT EXISTS (SELECT FROM fsgov.segments s WHERE s.call = c.call AND s.state NOT IN ('missing', 'destroyed'))
                AND NOT EXISTS (SELECT FROM unnest(c.segments) AS u
                                WHERE NOT EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = u))
            ORDER BY c.call LOOP
        needed := fsgov.latched() OR fsgov.held_call(old) <> '{}';
        FOR whom IN SELECT p.party FROM fsgov.parties p WHERE p.call = old LOOP
            needed := needed OR fsgov.needed_by('', old, whom) <> '{}';
        END LOOP;
        CONTINUE WHEN needed;
        PERFORM fsgov.unname(old, p.party) FROM fsgov.parties p WHERE p.call = old;
        UPDATE fsgov.calls c SET inputs = NULL, inputs_salt = NULL WHERE c.call = old;
        DELETE FROM fsgov.tags t WHERE t.call = old;
        forgotten := forgotten + 1;
    END LOOP;
    IF looked < p_limit THEN
        last := NULL;
        UPDATE fsgov.stops s SET number = NULL WHERE s.lifted_at < p_before AND s.number IS NOT NULL;
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.forget_calls IS
    'Of the next p_limit calls after p_after (in the order of their ids): of those that ended before p_before and have no recording left, nulls what names people, where no hold and no open request needs it. How many; and where to go on, null at the end. At the end stops that were lifted before then lose their number.';
GRANT EXECUTE ON FUNCTION fsgov.forget_calls TO fsgov_keep;


-- == Holds and cases =======================================================================================

CREATE FUNCTION fsgov.lock_holds(p_exclusive boolean) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    level text;
BEGIN
    EXECUTE 'SHOW transaction_isolation' INTO level;
    IF level <> 'read committed' THEN
        RAISE EXCEPTION 'holds are placed and looked at in a transaction that is READ COMMITTED' USING ERRCODE = 'FG409',
            DETAIL = level, HINT = 'an older snapshot would not show a hold that was placed since';
    END IF;
    IF p_exclusive THEN
        PERFORM pg_advisory_xact_lock(7377472);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(7377472);
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.lock_holds IS
    'Internal: granted to nobody. Until the end of the transaction: true: nothing begins to be destroyed, and no call or segment is entered (placing a hold); false: no hold is placed (whoever destroys or enters). Look at holds in a statement after it.';

CREATE FUNCTION fsgov.held(p_segment text) RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT h.id ORDER BY h.id), '{}')
    FROM fsgov.segments s
    CROSS JOIN LATERAL (SELECT c.hold FROM fsgov.hold_calls c WHERE c.call = s.call
                        UNION ALL SELECT o.hold FROM fsgov.hold_segments o WHERE o.segment = s.segment
                        UNION ALL SELECT l.id FROM fsgov.holds l WHERE l.lost AND l.released_at IS NULL) AS r
    JOIN fsgov.holds h ON h.id = r.hold AND h.released_at IS NULL AND (h.tenant = '*' OR h.tenant = s.tenant)
    WHERE s.segment = p_segment AND s.state NOT IN ('destroying', 'destroyed')
$$;
COMMENT ON FUNCTION fsgov.held IS
    'Ids of the holds in force on this segment. None where it is being destroyed: a hold that was placed since came too late. Whoever destroys asks after lock_holds(false), in the same transaction.';
GRANT EXECUTE ON FUNCTION fsgov.held TO fsgov_keep;

CREATE FUNCTION fsgov.mine(p_tenant text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.my_tenants() AS t WHERE t IN (p_tenant, '*'))
$$;
COMMENT ON FUNCTION fsgov.mine IS 'Internal: whether the person whose login this is acts for that tenant.';

CREATE FUNCTION fsgov.held_segments() RETURNS TABLE (segment text, hold text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT DISTINCT f.segment, f.hold FROM (
        SELECT s.segment, h.id AS hold, s.tenant, s.state, h.tenant AS whose FROM fsgov.holds h
        JOIN fsgov.hold_calls c ON c.hold = h.id JOIN fsgov.segments s ON s.call = c.call WHERE h.released_at IS NULL
        UNION ALL
        SELECT s.segment, h.id, s.tenant, s.state, h.tenant FROM fsgov.holds h
        JOIN fsgov.hold_segments c ON c.hold = h.id JOIN fsgov.segments s ON s.segment = c.segment
        WHERE h.released_at IS NULL
        UNION ALL
        SELECT s.segment, h.id, s.tenant, s.state, h.tenant FROM fsgov.holds h CROSS JOIN fsgov.segments s
        WHERE h.lost AND h.released_at IS NULL) AS f
    WHERE f.whose IN ('*', f.tenant) AND f.state NOT IN ('destroying', 'destroyed')
        AND (NOT EXISTS (SELECT FROM fsgov.people p WHERE p.login = session_user)
             OR f.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants()))
$$;
COMMENT ON FUNCTION fsgov.held_segments IS
    'held, of every segment at once: a row for each segment and hold. People see those of their tenants.';
GRANT EXECUTE ON FUNCTION fsgov.held_segments TO fsgov_keep, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;

CREATE FUNCTION fsgov.held_call(p_call text) RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT h.id ORDER BY h.id), '{}')
    FROM (SELECT c.tenant FROM fsgov.calls c WHERE c.call = p_call
          UNION SELECT s.tenant FROM fsgov.segments s WHERE s.call = p_call) AS c
    CROSS JOIN LATERAL (SELECT r.hold FROM fsgov.hold_calls r WHERE r.call = p_call
                        UNION ALL SELECT o.hold FROM fsgov.segments s JOIN fsgov.hold_segments o USING (segment)
                        WHERE s.call = p_call
                        UNION ALL SELECT l.id FROM fsgov.holds l WHERE l.lost AND l.released_at IS NULL) AS r
    JOIN fsgov.holds h ON h.id = r.hold AND h.released_at IS NULL AND (h.tenant = '*' OR h.tenant = c.tenant)
$$;
COMMENT ON FUNCTION fsgov.held_call IS
    'Ids of the holds in force on this call or a segment of it: its rows (parties, consents, inputs) stay as they are as well.';

CREATE FUNCTION fsgov.is_held(p_call text, p_segment text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT CASE WHEN p_segment IS NULL
        THEN fsgov.held_call(p_call) <> '{}'
            AND EXISTS (SELECT FROM fsgov.calls c WHERE c.call = p_call AND fsgov.mine(c.tenant)
                        UNION ALL SELECT FROM fsgov.segments s WHERE s.call = p_call AND fsgov.mine(s.tenant))
        ELSE fsgov.held(p_segment) <> '{}'
            AND EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = p_segment AND fsgov.mine(s.tenant)) END
$$;
COMMENT ON FUNCTION fsgov.is_held IS 'For people: whether this segment of theirs, or (p_segment null) something of this call, is under a hold.';
GRANT EXECUTE ON FUNCTION fsgov.is_held TO fsgov_agent, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops,
    fsgov_integrator;

-- -- what a hold reaches -----------------------------------------------------------------------------------

CREATE FUNCTION fsgov.number_key(p_number text) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(nullif(ltrim(translate(p_number, '+ ()./-', ''), '0'), ''), p_number)
$$;
COMMENT ON FUNCTION fsgov.number_key IS
    'Internal: a number without what is only written between digits, and without the zeros (or +) before them. As the index parties_key has it.';

CREATE FUNCTION fsgov.number_forms(p_number text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    plain text := translate(p_number, ' ()./-', '');
BEGIN
    IF plain ~ '^00[1-9][0-9]{6,}$' THEN
        RETURN fsgov.number_forms('+' || ltrim(plain, '0')) || fsgov.number_forms('=' || plain);
    END IF;
    IF plain !~ '^[+][0-9]+$' THEN
        RETURN ARRAY['=' || fsgov.number_key(ltrim(plain, '='))];
    END IF;
    RETURN plain || ARRAY(SELECT DISTINCT fsgov.number_key(substr(plain, first)) FROM generate_series(2, 5) AS first
                          WHERE length(fsgov.number_key(substr(plain, first))) >= 4);
END $$;
COMMENT ON FUNCTION fsgov.number_forms IS
    'Internal: what a party of this number may have in its row. Of +493012345: that; and, for parties whose international form is not known, its key with and without the first one to three digits, one of which is the country. Of 1001 (as the switch gives it): =1001.';

CREATE FUNCTION fsgov.number_tokens(p_e164 text, p_number text) RETURNS text[] LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT array_remove(ARRAY[coalesce(p_e164, fsgov.number_key(p_number)), '=' || fsgov.number_key(p_number)], NULL)
$$;
COMMENT ON FUNCTION fsgov.number_tokens IS 'Internal: the forms that a party fits.';

CREATE FUNCTION fsgov.calls_of_number(p_forms text[]) RETURNS SETOF text LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT p.call FROM unnest(p_forms) AS f JOIN fsgov.parties p ON p.e164 = f
    UNION
    SELECT p.call FROM unnest(p_forms) AS f
    JOIN fsgov.parties p ON coalesce(nullif(ltrim(translate(p.number, '+ ()./-', ''), '0'), ''), p.number) = ltrim(f, '=')
    WHERE f LIKE '=%' OR p.e164 IS NULL
$$;
COMMENT ON FUNCTION fsgov.calls_of_number IS 'Internal: calls with a party that fits one of these forms, by the indices.';

CREATE FUNCTION fsgov.in_name(p_forms text[], p_name text) RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM unnest(p_forms) AS f, ltrim(f, '+=') AS digits
                   WHERE digits ~ '^[0-9]{6,}$' AND position(digits IN p_name) > 0)
$$;
COMMENT ON FUNCTION fsgov.in_name IS 'Internal: whether the name of a file has this number in it, in one of its forms of six digits or more.';

CREATE FUNCTION fsgov.subject_tokens(p_call text) RETURNS text[] LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT t.token), '{}') FROM (
        SELECT unnest(ARRAY[f.value, f.key || '=' || f.value]) AS token
        FROM fsgov.parties p CROSS JOIN LATERAL jsonb_each_text(p.facts) AS f
        WHERE p.call = p_call AND jsonb_typeof(p.facts) = 'object'
        UNION ALL SELECT n.evidence ->> 'row' FROM fsgov.consents n WHERE n.call = p_call) AS t WHERE t.token IS NOT NULL
$$;
COMMENT ON FUNCTION fsgov.subject_tokens IS
    'Internal: what the CRM called the parties of this call: parties_of finds it by each of them.';

CREATE FUNCTION fsgov.filter_where(p_filter jsonb, p_of_one boolean) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    known jsonb := jsonb_build_object(
        'since', 'c.opened_at >= (i.filter ->> ''since'')::timestamptz',
        'until', 'c.opened_at < (i.filter ->> ''until'')::timestamptz',
        'direction', 'c.direction = i.filter ->> ''direction''',
        'outcome', 'coalesce(c.revised_outcome, c.outcome) = i.filter ->> ''outcome''',
        'rule', 'c.rule = i.filter ->> ''rule''')
        || CASE WHEN p_of_one THEN jsonb_build_object(
            'tag', 'i.filter ->> ''tag'' = ANY (of_call.tags)',
            'number', 'of_call.numbers && i.forms',
            'subject', 'i.filter ->> ''subject'' = ANY (of_call.subjects)')
        ELSE jsonb_build_object(
            'tag', 'EXISTS (SELECT FROM fsgov.tags t WHERE t.call = c.call AND t.tag = i.filter ->> ''tag'')',
            'number', 'c.call IN (SELECT fsgov.calls_of_number(i.forms))',
            'subject', 'c.call IN (SELECT w.call FROM fsgov.parties_of(''*'', ''{}'', ARRAY[i.filter ->> ''subject'']) AS w)') END;
    strange text := (SELECT string_agg(key, ', ') FROM jsonb_each(p_filter)
                     WHERE NOT known ? key OR jsonb_typeof(value) <> 'string');
BEGIN
    IF strange IS NOT NULL OR p_filter = '{}' THEN
        RAISE EXCEPTION 'this is no query over calls' USING ERRCODE = 'FG422', DETAIL = coalesce(strange, 'no condition'),
            HINT = 'since, until, direction, outcome, rule, tag, number, subject';
    END IF;
    PERFORM (p_filter ->> 'since')::timestamptz, (p_filter ->> 'until')::timestamptz;
    RETURN (SELECT string_agg(known ->> key, ' AND ') FROM jsonb_object_keys(p_filter) AS key);
END $$;
COMMENT ON FUNCTION fsgov.filter_where IS
    'Internal: the conditions of stored queries i over calls c, as text. p_of_one: where c is one call, of which of_call (tags, numbers, subjects) is known. Raises FG422 where it is none.';

CREATE FUNCTION fsgov.reach(p_hold text, p_after integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    whose text := (SELECT h.tenant FROM fsgov.holds h WHERE h.id = p_hold);
    item  fsgov.holding;
BEGIN
    INSERT INTO fsgov.hold_calls (call, hold, tenant, follows)
    WITH RECURSIVE same AS (
        SELECT i.value AS call FROM fsgov.holding i WHERE i.hold = p_hold AND i.kind = 'call' AND (i.n = 0 OR i.n > p_after)
        UNION
        SELECT f.call FROM same CROSS JOIN LATERAL (
            SELECT c.merged_into AS call FROM fsgov.calls c WHERE c.call = same.call AND c.merged_into IS NOT NULL
            UNION ALL SELECT c.call FROM fsgov.calls c WHERE c.parted_from = same.call) AS f)
    SELECT same.call, p_hold, whose, true FROM same
    ON CONFLICT (call, hold) DO UPDATE SET follows = true;

    INSERT INTO fsgov.hold_segments (segment, hold, tenant)
    SELECT i.value, p_hold, whose FROM fsgov.holding i
    WHERE i.hold = p_hold AND i.kind = 'segment' AND (i.n = 0 OR i.n > p_after)
    ON CONFLICT DO NOTHING;

    INSERT INTO fsgov.hold_calls (call, hold, tenant)
    SELECT c.call, p_hold, whose FROM fsgov.holding i CROSS JOIN LATERAL fsgov.calls_of_number(i.forms) AS of_number
    JOIN fsgov.calls c ON c.call = of_number
    WHERE i.hold = p_hold AND i.kind = 'number' AND (i.n = 0 OR i.n > p_after) AND whose IN ('*', c.tenant)
    UNION
    SELECT w.call, p_hold, whose FROM fsgov.holding i CROSS JOIN LATERAL fsgov.parties_of(whose, '{}', ARRAY[i.value]) AS w
    WHERE i.hold = p_hold AND i.kind = 'subject' AND (i.n = 0 OR i.n > p_after)
    UNION
    SELECT s.call, p_hold, whose FROM fsgov.holding i JOIN fsgov.provenance o ON fsgov.in_name(i.forms, o.found_as)
    JOIN fsgov.segments s USING (segment)
    WHERE i.hold = p_hold AND i.kind = 'number' AND (i.n = 0 OR i.n > p_after) AND whose IN ('*', s.tenant)
    ON CONFLICT DO NOTHING;

    FOR item IN SELECT * FROM fsgov.holding i
        WHERE i.hold = p_hold AND i.kind = 'query' AND (i.n = 0 OR i.n > p_after) LOOP
        EXECUTE 'INSERT INTO fsgov.hold_calls (call, hold, tenant)'
            ' SELECT c.call, $2, $3 FROM fsgov.calls c CROSS JOIN (SELECT $1 AS filter, $4 AS forms) AS i'
            ' WHERE $3 IN (''*'', c.tenant) AND ' || fsgov.filter_where(item.filter, false) || ' ON CONFLICT DO NOTHING'
            USING item.filter, p_hold, whose, item.forms;
    END LOOP;

    -- what a case has reached stays what it is about, though its rows may fit no more
    INSERT INTO fsgov.hold_calls (call, hold, tenant, follows)
    SELECT r.call, p_hold, whose, bool_or(r.follows) FROM fsgov.hold_sources o JOIN fsgov.hold_calls r ON r.hold = o.source
    WHERE o.hold = p_hold AND o.source <> p_hold GROUP BY r.call
    ON CONFLICT (call, hold) DO UPDATE SET follows = true WHERE excluded.follows AND NOT hold_calls.follows;
    INSERT INTO fsgov.hold_segments (segment, hold, tenant)
    SELECT r.segment, p_hold, whose FROM fsgov.hold_sources o JOIN fsgov.hold_segments r ON r.hold = o.source
    WHERE o.hold = p_hold AND o.source <> p_hold
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION fsgov.reach IS
    'Internal: what is there of what this hold is about, by its items after the p_after-th and those of its cases, goes into hold_calls and hold_segments.';

CREATE FUNCTION fsgov.reach_call() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about    fsgov.calls;
    numbers  text[];
    subjects text[];
    asks     jsonb;
BEGIN
    PERFORM fsgov.lock_holds(false);
    SELECT * INTO about FROM fsgov.calls c WHERE c.call = NEW.call;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM fsgov.holds h WHERE h.released_at IS NULL) THEN
        RETURN NULL;
    END IF;
    numbers := ARRAY(SELECT DISTINCT n FROM fsgov.parties p, unnest(fsgov.number_tokens(p.e164, p.number)) AS n
                     WHERE p.call = about.call);
    subjects := fsgov.subject_tokens(about.call);
    INSERT INTO fsgov.hold_calls (call, hold, tenant)
    SELECT about.call, i.hold, i.tenant FROM fsgov.holding i
    WHERE i.kind = 'number' AND i.forms && numbers AND i.tenant IN ('*', about.tenant)
    UNION
    SELECT about.call, i.hold, i.tenant FROM fsgov.holding i
    WHERE i.kind = 'subject' AND i.value = ANY (subjects) AND i.tenant IN ('*', about.tenant)
    ON CONFLICT DO NOTHING;

    -- one statement for all queries that ask about the same things
    FOR asks IN SELECT DISTINCT ON (akin) i.filter
            FROM fsgov.holding i CROSS JOIN LATERAL (
                SELECT array_agg(key ORDER BY key) AS akin FROM jsonb_object_keys(i.filter) AS key) AS of_filter
            WHERE i.kind = 'query' AND i.tenant IN ('*', about.tenant) ORDER BY akin LOOP
        EXECUTE 'INSERT INTO fsgov.hold_calls (call, hold, tenant) SELECT DISTINCT c.call, i.hold, i.tenant'
            ' FROM fsgov.calls c CROSS JOIN (SELECT ARRAY(SELECT t.tag FROM fsgov.tags t WHERE t.call = $1) AS tags,'
            ' $2 AS numbers, $3 AS subjects) AS of_call JOIN fsgov.holding i ON i.kind = ''query'''
            ' AND i.tenant IN (''*'', c.tenant) AND i.filter ?& $4 AND i.filter - $4 = ''{}'''
            ' WHERE c.call = $1 AND ' || fsgov.filter_where(asks, true) || ' ON CONFLICT DO NOTHING'
            USING about.call, numbers, subjects, ARRAY(SELECT jsonb_object_keys(asks));
    END LOOP;

    -- where its people went on, and came from, however late each call is entered
    INSERT INTO fsgov.hold_calls (call, hold, tenant, follows)
    WITH RECURSIVE same AS (
        SELECT r.call, r.hold, r.tenant FROM fsgov.hold_calls r JOIN fsgov.holds h ON h.id = r.hold AND h.released_at IS NULL
        WHERE r.call IN (about.call, about.parted_from) AND r.follows
        UNION
        SELECT f.call, same.hold, same.tenant FROM same CROSS JOIN LATERAL (
            SELECT c.merged_into AS call FROM fsgov.calls c WHERE c.call = same.call AND c.merged_into IS NOT NULL
            UNION ALL SELECT c.call FROM fsgov.calls c WHERE c.parted_from = same.call) AS f)
    SELECT same.call, same.hold, same.tenant, true FROM same
    ON CONFLICT (call, hold) DO UPDATE SET follows = true WHERE NOT hold_calls.follows;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.reach_call IS
    'Trigger at the commit of whoever enters or changes a call: the holds in force that it fits reach it.';
CREATE CONSTRAINT TRIGGER held_when_it_comes AFTER INSERT OR UPDATE ON fsgov.calls
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fsgov.reach_call();

CREATE FUNCTION fsgov.reach_file() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    PERFORM fsgov.lock_holds(false);
    INSERT INTO fsgov.hold_calls (call, hold, tenant)
    SELECT DISTINCT s.call, i.hold, i.tenant FROM fsgov.segments s JOIN fsgov.provenance o USING (segment)
    JOIN fsgov.holding i ON i.kind = 'number' AND i.tenant IN ('*', s.tenant) AND fsgov.in_name(i.forms, o.found_as)
    WHERE s.segment = NEW.segment
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.reach_file IS
    'Trigger at the commit of whoever enters a file that was adopted, or its name: holds on a number that is in the name reach it.';
CREATE CONSTRAINT TRIGGER held_when_it_comes AFTER INSERT ON fsgov.segments DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.adopted <> '') EXECUTE FUNCTION fsgov.reach_file();
CREATE CONSTRAINT TRIGGER held_when_it_comes AFTER INSERT OR UPDATE ON fsgov.provenance DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fsgov.reach_file();

CREATE FUNCTION fsgov.refuse_held() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    holds text[];
BEGIN
    PERFORM fsgov.lock_holds(false);
    holds := fsgov.held(OLD.segment);
    -- the ledger that a restore applies tells what was destroyed long ago; ship takes the place of what was adopted
    IF (holds <> '{}' OR fsgov.latched()) AND NOT EXISTS (SELECT FROM fsgov.erased e WHERE e.segment = OLD.segment)
       AND NOT (TG_OP = 'DELETE' AND EXISTS (SELECT FROM fsgov.segments s
                                             WHERE s.segment = OLD.segment AND s.adopted IN ('lost', 'vault'))) THEN
        PERFORM fsgov.refuse_latched();
        RAISE EXCEPTION 'this recording is under a hold' USING ERRCODE = 'FG409',
            DETAIL = OLD.segment || ': ' || array_to_string(holds, ', '), HINT = 'fsgov hold list';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION fsgov.refuse_held IS
    'Trigger of what begins to destroy a recording, whoever does it: not under a hold, and not while purge waits after a restore. The last of several who ask.';
CREATE TRIGGER not_under_a_hold BEFORE UPDATE OF state ON fsgov.segments FOR EACH ROW
    WHEN (NEW.state IN ('destroying', 'destroyed') AND OLD.state NOT IN ('destroying', 'destroyed'))
    EXECUTE FUNCTION fsgov.refuse_held();
CREATE TRIGGER not_under_a_hold_gone BEFORE DELETE ON fsgov.segments FOR EACH ROW EXECUTE FUNCTION fsgov.refuse_held();
CREATE TRIGGER not_under_a_hold BEFORE DELETE ON fsgov.segment_keys FOR EACH ROW EXECUTE FUNCTION fsgov.refuse_held();

-- -- people and holds --------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.holder() RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF NOT (fsgov.in_role(session_user, 'fsgov_privacy') OR fsgov.in_role(session_user, 'fsgov_supervisor')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'holds are for fsgov_supervisor and fsgov_privacy';
    END IF;
    RETURN fsgov.me();
END $$;
COMMENT ON FUNCTION fsgov.holder IS 'Internal: the person whose login this is, who may place holds.';

CREATE FUNCTION fsgov.fixed(p_instant text) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT CASE WHEN isfinite(at) THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE at::text END
    FROM (SELECT p_instant::timestamptz AS at) AS one
$$;
COMMENT ON FUNCTION fsgov.fixed IS
    'Internal: an instant as this login wrote it now ("tomorrow", a day of its time zone), as everybody reads it for ever.';

CREATE FUNCTION fsgov.take_items(p_hold text, p_items jsonb) RETURNS integer LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    whose text := (SELECT h.tenant FROM fsgov.holds h WHERE h.id = p_hold);
    first integer := (SELECT coalesce(max(i.n), 0) FROM fsgov.hold_items i WHERE i.hold = p_hold);
    wrong text;
BEGIN
    IF coalesce(jsonb_typeof(p_items), '') <> 'array' OR p_items = '[]' THEN
        RAISE EXCEPTION 'a hold is about something' USING ERRCODE = 'FG422',
            HINT = 'a list of {kind, value}, or {kind: query, filter}';
    END IF;
    SELECT coalesce(i ->> 'kind', 'no kind') INTO wrong FROM jsonb_array_elements(p_items) AS i
    WHERE CASE i ->> 'kind'
        WHEN 'call' THEN coalesce(i ->> 'value', '') !~ '^[0-9A-Za-z-]{1,64}$'
        WHEN 'segment' THEN coalesce(i ->> 'value', '') !~ '^[0-9A-Za-z-]{1,64}-[0-9]{2,}$'
        WHEN 'number' THEN coalesce(btrim(i ->> 'value'), '') = ''
        WHEN 'subject' THEN coalesce(i ->> 'value', '') = ''
        WHEN 'query' THEN fsgov.filter_where(i -> 'filter', false) IS NULL
        WHEN 'case' THEN NOT EXISTS (SELECT FROM fsgov.cases k
                                     WHERE k.id = i ->> 'value' AND whose IN ('*', k.tenant) AND k.hold <> p_hold)
        ELSE true END LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'this is nothing that a hold can be about' USING ERRCODE = 'FG422', DETAIL = wrong;
    END IF;
    INSERT INTO fsgov.hold_items (hold, n, tenant, kind, value, forms, filter)
    SELECT p_hold, first + i.n, whose, i.item ->> 'kind', coalesce(i.item ->> 'value', ''),
        CASE WHEN i.item ->> 'kind' = 'number' THEN fsgov.number_forms(i.item ->> 'value')
             WHEN i.item #> '{filter,number}' IS NOT NULL AND i.item ->> 'kind' = 'query'
                 THEN fsgov.number_forms(i.item #>> '{filter,number}') ELSE '{}' END,
        CASE i.item ->> 'kind' WHEN 'query' THEN (i.item -> 'filter') || jsonb_strip_nulls(jsonb_build_object(
            'since', fsgov.fixed(i.item #>> '{filter,since}'), 'until', fsgov.fixed(i.item #>> '{filter,until}'))) END
    FROM jsonb_array_elements(p_items) WITH ORDINALITY AS i(item, n);
    INSERT INTO fsgov.hold_sources (hold, source, tenant) VALUES (p_hold, p_hold, whose) ON CONFLICT DO NOTHING;
    -- its new cases count for whatever is about its own case as well, and what they are about with them
    INSERT INTO fsgov.hold_sources (hold, source, tenant)
    SELECT DISTINCT o.hold, of_case.source, o.tenant FROM fsgov.hold_sources o
    CROSS JOIN fsgov.hold_items i JOIN fsgov.cases k ON k.id = i.value AND o.tenant IN ('*', k.tenant)
    JOIN fsgov.hold_sources of_case ON of_case.hold = k.hold
    WHERE o.source = p_hold AND i.hold = p_hold AND i.n > first AND i.kind = 'case' ON CONFLICT DO NOTHING;
    PERFORM fsgov.reach(p_hold, first);
    PERFORM fsgov.reach(o.hold, 0) FROM fsgov.hold_sources o JOIN fsgov.holds h ON h.id = o.hold AND h.released_at IS NULL
    WHERE o.source = p_hold AND o.hold <> p_hold;
    RETURN jsonb_array_length(p_items);
END $$;
COMMENT ON FUNCTION fsgov.take_items IS 'Internal: these, too, are what the hold is about. The answer is how many they are.';

CREATE FUNCTION fsgov.hold_extent(p_hold text, OUT calls bigint, OUT segments bigint, OUT late bigint, OUT unknown bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH about AS (SELECT * FROM fsgov.holds h WHERE h.id = p_hold AND fsgov.mine(h.tenant)),
    found AS (
        SELECT DISTINCT s.segment, s.state FROM about h
        CROSS JOIN LATERAL (
            SELECT s.* FROM fsgov.hold_calls c JOIN fsgov.segments s ON s.call = c.call WHERE c.hold = h.id
            UNION ALL
            SELECT s.* FROM fsgov.hold_segments o JOIN fsgov.segments s ON s.segment = o.segment WHERE o.hold = h.id
            UNION ALL
            SELECT s.* FROM fsgov.segments s WHERE h.lost) AS s
        WHERE h.tenant IN ('*', s.tenant))
    SELECT (SELECT count(*) FROM (
            SELECT k.call FROM about h JOIN fsgov.hold_calls c ON c.hold = h.id JOIN fsgov.calls k ON k.call = c.call
            WHERE h.tenant IN ('*', k.tenant)
            UNION
            SELECT k.call FROM about h JOIN fsgov.calls k ON h.lost AND h.tenant IN ('*', k.tenant)) AS reached),
        (SELECT count(*) FROM found WHERE state NOT IN ('destroying', 'destroyed', 'missing')),
        (SELECT count(*) FROM found WHERE state IN ('destroying', 'destroyed')),
        (SELECT count(*) FROM about h JOIN fsgov.hold_items i ON i.hold = h.id WHERE CASE i.kind
            WHEN 'call' THEN NOT EXISTS (SELECT FROM fsgov.calls k WHERE k.call = i.value AND h.tenant IN ('*', k.tenant))
                AND NOT EXISTS (SELECT FROM fsgov.segments s WHERE s.call = i.value AND h.tenant IN ('*', s.tenant))
            WHEN 'segment' THEN NOT EXISTS (SELECT FROM fsgov.segments s
                                            WHERE s.segment = i.value AND h.tenant IN ('*', s.tenant))
            ELSE false END)
$$;
COMMENT ON FUNCTION fsgov.hold_extent IS
    'Of a hold: calls and segments that it holds now, segments that it came too late for (their destruction had begun), and ids that it names and that are not in the catalog (yet).';
GRANT EXECUTE ON FUNCTION fsgov.hold_extent TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.hold_late(p_hold text) RETURNS TABLE (segment text, call text, state text, reason text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT DISTINCT s.segment, s.call, s.state, s.dispose_reason FROM fsgov.holds h
    CROSS JOIN LATERAL (
        SELECT s.* FROM fsgov.hold_calls c JOIN fsgov.segments s ON s.call = c.call WHERE c.hold = h.id
        UNION ALL
        SELECT s.* FROM fsgov.hold_segments o JOIN fsgov.segments s ON s.segment = o.segment WHERE o.hold = h.id) AS s
    WHERE h.id = p_hold AND h.released_at IS NULL AND fsgov.mine(h.tenant) AND h.tenant IN ('*', s.tenant)
        AND s.state IN ('destroying', 'destroyed') ORDER BY 1
$$;
COMMENT ON FUNCTION fsgov.hold_late IS 'What a hold in force came too late for: recordings whose destruction had begun.';
GRANT EXECUTE ON FUNCTION fsgov.hold_late TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.refuse_late(p_hold text) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM fsgov.hold_items i WHERE i.hold = p_hold AND i.kind NOT IN ('call', 'segment'))
       AND NOT EXISTS (SELECT FROM fsgov.hold_calls r JOIN fsgov.calls c ON c.call = r.call
                       WHERE r.hold = p_hold AND (c.outcome IS NULL OR EXISTS (
                           SELECT FROM unnest(c.segments) AS u
                           WHERE NOT EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = u)))) THEN
        RAISE EXCEPTION 'this hold comes too late: the destruction of all that it names has begun' USING ERRCODE = 'FG409',
            DETAIL = (SELECT string_agg(l.segment || ' is ' || l.state
                                        || CASE l.reason WHEN '' THEN '' ELSE ': ' || l.reason END, E'\n')
                      FROM (SELECT * FROM fsgov.hold_late(p_hold) LIMIT 20) AS l),
            HINT = 'fsgov purge certificate ID tells why and by whom';
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.refuse_late IS 'Internal: raises FG409 where this hold, which holds nothing and came too late for something, never will hold anything.';

CREATE FUNCTION fsgov.place_hold(p_items jsonb, p_matter text, p_custodian text, p_reason text, p_tenant text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    mine   text[] := ARRAY(SELECT fsgov.my_tenants());
    placed text := fsgov.random_id('h-');
    whose  text := CASE WHEN p_tenant IS NOT NULL THEN p_tenant
                        WHEN '*' = ANY (mine) THEN '*' WHEN cardinality(mine) = 1 THEN mine[1] END;
    items  integer;
    extent record;
BEGIN
    IF whose IS NULL OR NOT (whose = ANY (mine) OR '*' = ANY (mine)) THEN
        RAISE EXCEPTION 'this login may not hold that' USING ERRCODE = 'FG403', DETAIL = coalesce(whose, 'several tenants'),
            HINT = 'name one tenant that you act for';
    END IF;
    IF coalesce(p_matter, '') = '' THEN
        RAISE EXCEPTION 'a hold has a matter' USING ERRCODE = 'FG422', HINT = 'the case, the order, the ticket that it is for';
    END IF;
    PERFORM fsgov.lock_holds(true);
    INSERT INTO fsgov.holds (id, tenant, matter, custodian, reason, placed_by)
        VALUES (placed, whose, p_matter, coalesce(p_custodian, ''), coalesce(p_reason, ''), person);
    items := fsgov.take_items(placed, p_items);
    SELECT * INTO extent FROM fsgov.hold_extent(placed);
    IF extent.late > 0 AND extent.segments = 0 AND extent.unknown = 0 THEN
        PERFORM fsgov.refuse_late(placed);
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'hold.placed', placed, jsonb_build_object('items', items,
        'calls', extent.calls, 'segments', extent.segments, 'late', extent.late));
    RETURN placed;
END $$;
COMMENT ON FUNCTION fsgov.place_hold IS
    'From its commit on nothing of all this is destroyed; the answer is the id of the hold, and hold_extent tells how much it is. p_items: a list of {kind, value}, or {kind: query, filter}, as long as it may be. p_tenant null: the one tenant of the login, or every one.';
GRANT EXECUTE ON FUNCTION fsgov.place_hold TO fsgov_supervisor, fsgov_privacy;

CREATE FUNCTION fsgov.in_force(p_hold text) RETURNS fsgov.holds LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    found_hold fsgov.holds;
BEGIN
    SELECT * INTO found_hold FROM fsgov.holds h WHERE h.id = p_hold AND fsgov.mine(h.tenant) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such hold' USING ERRCODE = 'FG404', DETAIL = p_hold, HINT = 'fsgov hold list';
    END IF;
    IF found_hold.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'this hold is released' USING ERRCODE = 'FG409', DETAIL = p_hold, HINT = 'place another';
    END IF;
    RETURN found_hold;
END $$;
COMMENT ON FUNCTION fsgov.in_force IS 'Internal: this hold, its row locked, where it is in force and of a tenant of this login.';

CREATE FUNCTION fsgov.add_to_hold(p_hold text, p_items jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    items  integer;
    extent record;
BEGIN
    PERFORM fsgov.lock_holds(true);
    PERFORM fsgov.in_force(p_hold);
    items := fsgov.take_items(p_hold, p_items);
    UPDATE fsgov.holds h SET asked_by = NULL, asked_at = NULL, asked_why = '' WHERE h.id = p_hold;
    SELECT * INTO extent FROM fsgov.hold_extent(p_hold);
    PERFORM fsgov.enter_from_desk(person, 'hold.extended', p_hold, jsonb_build_object('items', items,
        'calls', extent.calls, 'segments', extent.segments, 'late', extent.late));
END $$;
COMMENT ON FUNCTION fsgov.add_to_hold IS
    'This hold is about more than it was. What was asked about its release has to be asked again.';
GRANT EXECUTE ON FUNCTION fsgov.add_to_hold TO fsgov_supervisor, fsgov_privacy;

CREATE FUNCTION fsgov.ask_release(p_hold text, p_why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    about  fsgov.holds := fsgov.in_force(p_hold);
BEGIN
    IF about.asked_by IS NOT NULL THEN
        RAISE EXCEPTION 'its release was asked for already' USING ERRCODE = 'FG409', DETAIL = p_hold || ' by ' || about.asked_by,
            HINT = 'another login approves it, or refuses it: fsgov hold approve';
    END IF;
    IF coalesce(p_why, '') = '' THEN
        RAISE EXCEPTION 'a release has a reason' USING ERRCODE = 'FG422', DETAIL = p_hold;
    END IF;
    UPDATE fsgov.holds h SET asked_by = person, asked_at = now(), asked_why = p_why WHERE h.id = p_hold;
    PERFORM fsgov.enter_from_desk(person, 'hold.release.asked', p_hold, '{}');
END $$;
COMMENT ON FUNCTION fsgov.ask_release IS 'The first of two logins that release a hold. It stays in force until another approves.';
GRANT EXECUTE ON FUNCTION fsgov.ask_release TO fsgov_supervisor, fsgov_privacy;

CREATE FUNCTION fsgov.refuse_release(p_hold text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    about  fsgov.holds := fsgov.in_force(p_hold);
BEGIN
    IF about.asked_by IS NULL THEN
        RAISE EXCEPTION 'nobody has asked for its release' USING ERRCODE = 'FG409', DETAIL = p_hold;
    END IF;
    UPDATE fsgov.holds h SET asked_by = NULL, asked_at = NULL, asked_why = '' WHERE h.id = p_hold;
    PERFORM fsgov.enter_from_desk(person, 'hold.release.refused', p_hold,
        jsonb_build_object('asked_by', about.asked_by));
END $$;
COMMENT ON FUNCTION fsgov.refuse_release IS 'The release that was asked for is not to be; also for who has asked.';
GRANT EXECUTE ON FUNCTION fsgov.refuse_release TO fsgov_supervisor, fsgov_privacy;

CREATE FUNCTION fsgov.approve_release(p_hold text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    about  fsgov.holds := fsgov.in_force(p_hold);
BEGIN
    IF about.asked_by IS NULL THEN
        RAISE EXCEPTION 'nobody has asked for its release' USING ERRCODE = 'FG409', DETAIL = p_hold,
            HINT = 'fsgov hold release, by another login';
    END IF;
    IF about.asked_by = person THEN
        RAISE EXCEPTION 'nobody approves what they have asked for' USING ERRCODE = 'FG403', DETAIL = p_hold,
            HINT = 'it takes another login: two persons';
    END IF;
    UPDATE fsgov.holds h SET released_by = person, released_at = now() WHERE h.id = p_hold;
    PERFORM fsgov.enter_from_desk(person, 'hold.released', p_hold, jsonb_build_object('asked_by', about.asked_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_release IS
    'The second login: this hold is over. What no other holds goes on its way; a case whose hold it is, is closed.';
GRANT EXECUTE ON FUNCTION fsgov.approve_release TO fsgov_privacy;

CREATE FUNCTION fsgov.open_case(p_items jsonb, p_reference text, p_custodian text, p_reason text, p_tenant text,
    OUT id text, OUT hold text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
BEGIN
    id := fsgov.random_id('k-');
    hold := fsgov.place_hold(p_items, p_reference, p_custodian, p_reason, p_tenant);
    INSERT INTO fsgov.cases (id, tenant, reference, hold, opened_by)
        SELECT open_case.id, h.tenant, p_reference, h.id, person FROM fsgov.holds h WHERE h.id = open_case.hold;
    PERFORM fsgov.enter_from_desk(person, 'case.opened', id, jsonb_build_object('hold', hold));
END $$;
COMMENT ON FUNCTION fsgov.open_case IS
    'A complaint, and the hold that it implies, in one. More is added to its hold (add_to_hold); it is closed by the release of that.';
GRANT EXECUTE ON FUNCTION fsgov.open_case TO fsgov_supervisor, fsgov_privacy;


-- == Purge =================================================================================================

CREATE FUNCTION fsgov.latched() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.restores r WHERE r.resumed_at IS NULL)
$$;
COMMENT ON FUNCTION fsgov.latched IS
    'Whether nothing may begin to be destroyed, since an older dump was restored and two persons have not looked at what was lost.';
GRANT EXECUTE ON FUNCTION fsgov.latched TO fsgov_keep;

CREATE FUNCTION fsgov.refuse_latched() RETURNS void LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF fsgov.latched() THEN
        RAISE EXCEPTION 'an older dump was restored: nothing is destroyed before people have looked at what was lost'
            USING ERRCODE = 'FG409', DETAIL = (SELECT string_agg(r.id, ', ') FROM fsgov.restores r WHERE r.resumed_at IS NULL),
            HINT = 'fsgov purge lost; then fsgov purge resume, by two logins';
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.refuse_latched IS 'Internal: raises FG409 while purge waits after a restore.';

CREATE FUNCTION fsgov.plan_digest(p_plan text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT encode(sha256(convert_to(format(E'%s\n%s\n%s\n%s\n%s\n', p.id, p.kind, p.tenant, p.most,
            extract(epoch FROM p.expires_at)::bigint), 'UTF8')
        || coalesce((SELECT string_agg(part.digest, ''::bytea ORDER BY part.first) FROM (
            SELECT min(i.segment COLLATE "C") AS first,
                sha256(convert_to(string_agg(i.segment || ' ' || i.cause, E'\n' ORDER BY i.segment COLLATE "C"), 'UTF8')) AS digest
            FROM fsgov.plan_items i WHERE i.plan = p.id GROUP BY substr(i.segment, 1, 2)) AS part), ''::bytea)), 'hex')
    FROM fsgov.plans p WHERE p.id = p_plan
$$;
COMMENT ON FUNCTION fsgov.plan_digest IS
    'Internal: the SHA-256 of a plan as it is now. Of its items in parts, each those whose ids begin with the same two characters, so that a million need little memory.';

CREATE FUNCTION fsgov.draft_plan(p_kind text, p_tenant text, p_reason text, p_most bigint, p_valid interval)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    plan   text := fsgov.random_id('pl-');
BEGIN
    IF NOT fsgov.in_role(session_user, 'fsgov_privacy')
       OR NOT (p_tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'plans are made by fsgov_privacy, for their own tenants';
    END IF;
    IF p_most < 1 OR p_valid NOT BETWEEN interval '1 minute' AND interval '30 days' THEN
        RAISE EXCEPTION 'a plan has at least one recording and is valid for a minute to 30 days' USING ERRCODE = 'FG422';
    END IF;
    INSERT INTO fsgov.plans (id, tenant, kind, reason, state, most, proposed_by, expires_at)
        VALUES (plan, p_tenant, p_kind, coalesce(p_reason, ''), 'draft', p_most, person,
            date_trunc('second', now() + p_valid));
    RETURN plan;
END $$;
COMMENT ON FUNCTION fsgov.draft_plan IS
    'A plan without items yet, of one tenant or (*) of several; add_to_plan and seal_plan follow in the same transaction.';
GRANT EXECUTE ON FUNCTION fsgov.draft_plan TO fsgov_privacy;

CREATE FUNCTION fsgov.add_to_plan(p_plan text, p_segments text[], p_causes text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    drafted fsgov.plans;
    more    bigint;
BEGIN
    SELECT * INTO drafted FROM fsgov.plans p WHERE p.id = p_plan FOR UPDATE;
    IF drafted.state IS DISTINCT FROM 'draft'
       OR session_user = 'fsgov_keep' AND drafted.schedule IS NULL
       OR session_user <> 'fsgov_keep' AND drafted.proposed_by <> fsgov.me() THEN
        RAISE EXCEPTION 'this plan is none that this login drafts' USING ERRCODE = 'FG409', DETAIL = p_plan;
    END IF;
    INSERT INTO fsgov.plan_items (plan, segment, tenant, cause, size)
    SELECT p_plan, s.segment, s.tenant, u.cause, s.sealed_size
    FROM unnest(p_segments, p_causes) AS u(segment, cause) JOIN fsgov.segments s USING (segment)
    WHERE s.state IN ('stored', 'quarantined') AND drafted.tenant IN (s.tenant, '*');
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN more;
END $$;
COMMENT ON FUNCTION fsgov.add_to_plan IS
    'These recordings, each for its cause, into a draft; how many were taken: none of another tenant, and none that is destroyed, or being destroyed, or has no audio. Each is named once: ON CONFLICT would double what a million cost.';
GRANT EXECUTE ON FUNCTION fsgov.add_to_plan TO fsgov_privacy, fsgov_keep;

CREATE FUNCTION fsgov.seal_plan(p_plan text, p_facts jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    drafted fsgov.plans;
    counted bigint;
    total   bigint;
    kinds   jsonb;
    digest  text;
    person  text := fsgov.me();
BEGIN
    SELECT * INTO drafted FROM fsgov.plans p WHERE p.id = p_plan FOR UPDATE;
    IF drafted.state IS DISTINCT FROM 'draft' OR drafted.proposed_by <> fsgov.me() THEN
        RAISE EXCEPTION 'this plan is none that this login drafts' USING ERRCODE = 'FG409', DETAIL = p_plan;
    END IF;
    SELECT coalesce(sum(n), 0), coalesce(sum(bytes), 0), coalesce(jsonb_object_agg(cause, n), '{}')
    INTO counted, total, kinds
    FROM (SELECT i.cause, count(*) AS n, sum(i.size) AS bytes FROM fsgov.plan_items i WHERE i.plan = p_plan GROUP BY 1) AS found;
    IF counted = 0 THEN
        RAISE EXCEPTION 'there is nothing to destroy' USING ERRCODE = 'FG409', DETAIL = p_plan;
    END IF;
    IF counted > drafted.most THEN
        RAISE EXCEPTION 'the plan is larger than it may be' USING ERRCODE = 'FG409',
            DETAIL = format('%s recordings, at most %s', counted, drafted.most),
            HINT = 'see why there are so many; if it is right, say so: --most';
    END IF;
    digest := fsgov.plan_digest(p_plan);
    UPDATE fsgov.plans p SET state = 'proposed', items = counted, size = total, causes = kinds,
        facts = coalesce(p_facts, '{}'), sha256 = digest WHERE p.id = p_plan;
    PERFORM fsgov.enter_from_desk(person, 'plan.proposed', p_plan, jsonb_build_object(
        'kind', drafted.kind, 'items', counted, 'causes', kinds, 'sha256', digest));
    RETURN digest;
END $$;
COMMENT ON FUNCTION fsgov.seal_plan IS
    'The draft is whole: it is counted, hashed, and waits for another login. p_facts is what its author was shown besides.';
GRANT EXECUTE ON FUNCTION fsgov.seal_plan TO fsgov_privacy;

CREATE FUNCTION fsgov.propose_plan(p_kind text, p_segments text[], p_causes text[], p_reason text,
    p_valid interval DEFAULT '7 days', p_tenant text DEFAULT NULL, OUT plan text, OUT sha256 text, OUT left_out text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    whose  text := p_tenant;
    named  text[];
    causes text[];
BEGIN
    IF whose IS NULL THEN
        SELECT CASE WHEN count(DISTINCT s.tenant) = 1 THEN min(s.tenant) ELSE '*' END INTO whose
        FROM fsgov.segments s WHERE s.segment = ANY (p_segments);
    END IF;
    plan := fsgov.draft_plan(p_kind, whose, p_reason, greatest(cardinality(p_segments), 1), p_valid);
    SELECT array_agg(o.segment), array_agg(o.cause) INTO named, causes FROM (
        SELECT DISTINCT ON (u.segment) u.segment, CASE WHEN cardinality(p_causes) = 1 THEN p_causes[1] ELSE u.cause END AS cause
        FROM unnest(p_segments, p_causes) WITH ORDINALITY AS u(segment, cause, place) ORDER BY u.segment, u.place) AS o;
    PERFORM fsgov.add_to_plan(plan, named, causes);
    left_out := ARRAY(SELECT u FROM unnest(p_segments) AS u EXCEPT SELECT i.segment FROM fsgov.plan_items i
                      WHERE i.plan = propose_plan.plan ORDER BY 1);
    sha256 := fsgov.seal_plan(plan, jsonb_build_object('left_out', cardinality(left_out)));
END $$;
COMMENT ON FUNCTION fsgov.propose_plan IS
    'A plan of the recordings that are named, each for its cause (one cause: for all). left_out: what was not taken, see add_to_plan. It waits for approve_plan by another login.';
GRANT EXECUTE ON FUNCTION fsgov.propose_plan TO fsgov_privacy;

CREATE FUNCTION fsgov.approve_plan(p_plan text, p_sha256 text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    asked  fsgov.plans;
BEGIN
    SELECT * INTO asked FROM fsgov.plans p WHERE p.id = p_plan
        AND (p.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such plan' USING ERRCODE = 'FG404', DETAIL = p_plan, HINT = 'fsgov purge status';
    END IF;
    IF NOT (fsgov.in_role(session_user, 'fsgov_privacy') OR fsgov.in_role(session_user, 'fsgov_supervisor')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'plans are approved by fsgov_privacy and fsgov_supervisor';
    END IF;
    IF asked.state <> 'proposed' THEN
        RAISE EXCEPTION 'this plan does not wait for approval' USING ERRCODE = 'FG409', DETAIL = p_plan || ' is ' || asked.state;
    END IF;
    IF asked.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'this plan has expired' USING ERRCODE = 'FG409', DETAIL = p_plan, HINT = 'make a new one: fsgov purge plan';
    END IF;
    IF person = asked.proposed_by THEN
        RAISE EXCEPTION 'nobody approves what they have proposed' USING ERRCODE = 'FG403', DETAIL = p_plan,
            HINT = 'it takes another login: two persons';
    END IF;
    IF p_sha256 IS DISTINCT FROM asked.sha256 OR fsgov.plan_digest(p_plan) <> asked.sha256 THEN
        RAISE EXCEPTION 'this is not the plan that was proposed' USING ERRCODE = 'FG422', DETAIL = p_plan,
            HINT = 'look at it again: fsgov purge status ' || p_plan;
    END IF;
    UPDATE fsgov.plans p SET state = 'approved', approved_by = person, approved_at = now() WHERE p.id = p_plan;
    PERFORM fsgov.enter_from_desk(person, 'plan.approved', p_plan, jsonb_build_object(
        'kind', asked.kind, 'items', asked.items, 'sha256', asked.sha256, 'proposed_by', asked.proposed_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_plan IS
    'This plan, of this digest, may be applied; never by the login that proposed it.';
GRANT EXECUTE ON FUNCTION fsgov.approve_plan TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.settle_lost(p_act text, p_why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy,fsgov_supervisor}');
    lost   fsgov.lost_acts;
BEGIN
    PERFORM fsgov.redo_lost();
    SELECT * INTO lost FROM fsgov.lost_acts a WHERE a.id = p_act FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such lost act' USING ERRCODE = 'FG404', DETAIL = p_act, HINT = 'fsgov purge lost';
    END IF;
    IF lost.state <> 'open' THEN
        RAISE EXCEPTION 'nothing waits for this act' USING ERRCODE = 'FG409', DETAIL = p_act || ' is ' || lost.state;
    END IF;
    IF coalesce(p_why, '') = '' THEN
        RAISE EXCEPTION 'a lost act is settled for a reason' USING ERRCODE = 'FG422', DETAIL = p_act;
    END IF;
    UPDATE fsgov.lost_acts a SET state = 'settled', settled_by = person, settled_at = now(), why = p_why WHERE a.id = p_act;
    PERFORM fsgov.enter_from_desk(person, 'lost.settled', lost.restore, jsonb_build_object('act', p_act));
END $$;
COMMENT ON FUNCTION fsgov.settle_lost IS
    'After a restore: a person has done this act again, or it is not needed any more.';
GRANT EXECUTE ON FUNCTION fsgov.settle_lost TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.waiting_restore() RETURNS fsgov.restores LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    waits fsgov.restores;
    left_ bigint;
BEGIN
    PERFORM fsgov.redo_lost();
    SELECT * INTO waits FROM fsgov.restores r WHERE r.resumed_at IS NULL ORDER BY r.taken_up_at DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'purge does not wait' USING ERRCODE = 'FG409', HINT = 'no restored dump has to be looked at';
    END IF;
    SELECT count(*) INTO left_ FROM fsgov.lost_acts a WHERE a.state = 'open';
    IF left_ > 0 THEN
        RAISE EXCEPTION 'not all that was lost has been dealt with' USING ERRCODE = 'FG409', DETAIL = left_ || ' acts',
            HINT = 'fsgov purge lost --open; then fsgov purge settle';
    END IF;
    RETURN waits;
END $$;
COMMENT ON FUNCTION fsgov.waiting_restore IS
    'Internal: the restore after which purge waits, its row locked, where nothing of what was lost is open any more.';

CREATE FUNCTION fsgov.ask_resume(p_why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy,fsgov_supervisor}');
    waits  fsgov.restores := fsgov.waiting_restore();
BEGIN
    IF waits.asked_by IS NOT NULL THEN
        RAISE EXCEPTION 'this was asked for already' USING ERRCODE = 'FG409', DETAIL = waits.id || ' by ' || waits.asked_by,
            HINT = 'another login approves it: fsgov purge resume --approve';
    END IF;
    IF coalesce(p_why, '') = '' THEN
        RAISE EXCEPTION 'say what was done about the time that nobody has lines of' USING ERRCODE = 'FG422', DETAIL = waits.id;
    END IF;
    UPDATE fsgov.restores r SET asked_by = person, asked_at = now(), asked_why = p_why WHERE r.resumed_at IS NULL;
    PERFORM fsgov.enter_from_desk(person, 'purge.resume.asked', waits.id, '{}');
    RETURN waits.id;
END $$;
COMMENT ON FUNCTION fsgov.ask_resume IS
    'The first of two logins: what was lost has been looked at, and purge may go on. It waits until another approves.';
GRANT EXECUTE ON FUNCTION fsgov.ask_resume TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.approve_resume() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_privacy}');
    waits  fsgov.restores := fsgov.waiting_restore();
BEGIN
    IF waits.asked_by IS NULL THEN
        RAISE EXCEPTION 'nobody has asked that purge go on' USING ERRCODE = 'FG409', DETAIL = waits.id,
            HINT = 'fsgov purge resume, by another login';
    END IF;
    IF waits.asked_by = person THEN
        RAISE EXCEPTION 'nobody approves what they have asked for' USING ERRCODE = 'FG403', DETAIL = waits.id,
            HINT = 'it takes another login: two persons';
    END IF;
    UPDATE fsgov.restores r SET resumed_by = person, resumed_at = now() WHERE r.resumed_at IS NULL;
    PERFORM fsgov.enter_from_desk(person, 'purge.resumed', waits.id, jsonb_build_object('asked_by', waits.asked_by));
    RETURN waits.id;
END $$;
COMMENT ON FUNCTION fsgov.approve_resume IS 'The second login: purge goes on.';
GRANT EXECUTE ON FUNCTION fsgov.approve_resume TO fsgov_privacy;

CREATE FUNCTION fsgov.stop_plan(p_plan text, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    before fsgov.plans;
BEGIN
    SELECT * INTO before FROM fsgov.plans p WHERE p.id = p_plan
        AND (p.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such plan' USING ERRCODE = 'FG404', DETAIL = p_plan, HINT = 'fsgov purge status';
    END IF;
    IF NOT (fsgov.in_role(session_user, 'fsgov_privacy') OR fsgov.in_role(session_user, 'fsgov_supervisor')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'plans are stopped by fsgov_privacy and fsgov_supervisor';
    END IF;
    IF before.state IN ('done', 'stopped') THEN
        RAISE EXCEPTION 'this plan is over' USING ERRCODE = 'FG409', DETAIL = p_plan || ' is ' || before.state;
    END IF;
    UPDATE fsgov.plans p SET state = 'stopped', stopped_by = person, stopped_for = coalesce(p_reason, ''), ended_at = now()
        WHERE p.id = p_plan;
    PERFORM fsgov.enter_from_desk(person, 'plan.stopped', p_plan, jsonb_build_object(
        'before', before.state, 'schedule', before.schedule));
END $$;
COMMENT ON FUNCTION fsgov.stop_plan IS
    'Nothing more is begun by this plan. What is being destroyed comes to its end: its key may be gone already.';
GRANT EXECUTE ON FUNCTION fsgov.stop_plan TO fsgov_privacy, fsgov_supervisor;

-- -- schedules ---------------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.due_times(p_every text, p_time time, p_timezone text, p_after timestamptz, p_until timestamptz)
RETURNS SETOF timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT DISTINCT ((d.day + p_time) AT TIME ZONE p_timezone) AS due
    FROM generate_series((p_after AT TIME ZONE p_timezone)::date - 1, (p_until AT TIME ZONE p_timezone)::date, interval '1 day') AS g,
        LATERAL (SELECT g::date AS day) AS d
    WHERE (p_every = 'day' OR p_every = (ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[extract(isodow FROM d.day)::integer])
        AND ((d.day + p_time) AT TIME ZONE p_timezone) > p_after AND ((d.day + p_time) AT TIME ZONE p_timezone) <= p_until
    ORDER BY 1
$$;
COMMENT ON FUNCTION fsgov.due_times IS
    'When a schedule is due after one instant and until another: a day of the calendar of its timezone has one such time, whatever its clocks do. A time that they skip is as much later; of one that they show twice it is the second.';
GRANT EXECUTE ON FUNCTION fsgov.due_times TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.schedule_digest(p_schedule text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT encode(sha256(convert_to(jsonb_build_array(s.id, s.tenant, s.every, s.at, s.timezone, s.causes, s.grace_days, s.most,
        extract(epoch FROM s.expires_at)::bigint, s.proposed_by)::text, 'UTF8')), 'hex')
    FROM fsgov.schedules s WHERE s.id = p_schedule
$$;
COMMENT ON FUNCTION fsgov.schedule_digest IS 'Internal: the SHA-256 of what a schedule says now.';

CREATE FUNCTION fsgov.propose_schedule(p_tenant text, p_every text, p_time time, p_timezone text, p_causes text[],
    p_grace integer, p_most bigint, p_reason text, p_valid interval, OUT schedule text, OUT sha256 text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
BEGIN
    IF NOT fsgov.in_role(session_user, 'fsgov_privacy')
       OR NOT (p_tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'schedules are made by fsgov_privacy, for their own tenants';
    END IF;
    IF p_valid IS NULL OR now() + p_valid NOT BETWEEN now() + interval '1 day' AND now() + interval '1 year' THEN
        RAISE EXCEPTION 'a schedule is valid for a day to a year' USING ERRCODE = 'FG422',
            HINT = 'then two persons look at it again';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_timezone) THEN
        RAISE EXCEPTION 'this is no time zone' USING ERRCODE = 'FG422', DETAIL = coalesce(p_timezone, ''),
            HINT = 'as the policies name theirs: Europe/Berlin';
    END IF;
    schedule := fsgov.random_id('sc-');
    BEGIN
        INSERT INTO fsgov.schedules (id, tenant, every, at, timezone, causes, grace_days, most, reason, sha256, proposed_by, expires_at)
            VALUES (schedule, p_tenant, p_every, p_time, p_timezone, ARRAY(SELECT DISTINCT c FROM unnest(p_causes) AS c ORDER BY 1),
                p_grace, p_most, coalesce(p_reason, ''), '', person, date_trunc('second', now() + p_valid));
    EXCEPTION WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'this is no schedule' USING ERRCODE = 'FG422',
            DETAIL = format('every %s at %s, causes %s, grace %s, most %s', p_every, p_time, p_causes, p_grace, p_most),
            HINT = 'day or mon to sun; a time; causes of retention; 0 to 3650 days; at least one recording';
    END;
    sha256 := fsgov.schedule_digest(schedule);
    UPDATE fsgov.schedules s SET sha256 = propose_schedule.sha256 WHERE s.id = schedule;
    PERFORM fsgov.enter_from_desk(person, 'schedule.proposed', schedule, (
        SELECT jsonb_build_object('every', s.every, 'at', to_char(s.at, 'HH24:MI'), 'timezone', s.timezone, 'causes', to_jsonb(s.causes),
            'grace_days', s.grace_days, 'most', s.most, 'expires', to_char(s.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'sha256', s.sha256)
        FROM fsgov.schedules s WHERE s.id = schedule));
END $$;
COMMENT ON FUNCTION fsgov.propose_schedule IS
    'What is due by retention shall be planned each time, and destroyed, as soon as another login approves (approve_schedule).';
GRANT EXECUTE ON FUNCTION fsgov.propose_schedule TO fsgov_privacy;

CREATE FUNCTION fsgov.my_schedule(p_schedule text) RETURNS fsgov.schedules
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    found_one fsgov.schedules;
BEGIN
    SELECT * INTO found_one FROM fsgov.schedules s WHERE s.id = p_schedule
        AND (s.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such schedule' USING ERRCODE = 'FG404', DETAIL = p_schedule,
            HINT = 'fsgov purge schedule list';
    END IF;
    IF NOT (fsgov.in_role(session_user, 'fsgov_privacy') OR fsgov.in_role(session_user, 'fsgov_supervisor')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'schedules are approved and ended by fsgov_privacy and fsgov_supervisor';
    END IF;
    IF found_one.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'this schedule has been ended' USING ERRCODE = 'FG409', DETAIL = p_schedule,
            HINT = 'make a new one: fsgov purge schedule propose';
    END IF;
    RETURN found_one;
END $$;
COMMENT ON FUNCTION fsgov.my_schedule IS 'Internal: this schedule of a tenant of this login, locked, which nobody has ended.';

CREATE FUNCTION fsgov.approve_schedule(p_schedule text, p_sha256 text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    asked  fsgov.schedules := fsgov.my_schedule(p_schedule);
BEGIN
    IF asked.approved_by IS NOT NULL THEN
        RAISE EXCEPTION 'this schedule does not wait for approval' USING ERRCODE = 'FG409', DETAIL = p_schedule;
    END IF;
    IF asked.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'this schedule has expired' USING ERRCODE = 'FG409', DETAIL = p_schedule,
            HINT = 'make a new one: fsgov purge schedule propose';
    END IF;
    IF person = asked.proposed_by THEN
        RAISE EXCEPTION 'nobody approves what they have proposed' USING ERRCODE = 'FG403', DETAIL = p_schedule,
            HINT = 'it takes another login: two persons';
    END IF;
    IF p_sha256 IS DISTINCT FROM asked.sha256 OR fsgov.schedule_digest(p_schedule) <> asked.sha256 THEN
        RAISE EXCEPTION 'this is not the schedule that was proposed' USING ERRCODE = 'FG422', DETAIL = p_schedule,
            HINT = 'look at it again: fsgov purge schedule list';
    END IF;
    UPDATE fsgov.schedules s SET approved_by = person, approved_at = now() WHERE s.id = p_schedule;
    PERFORM fsgov.enter_from_desk(person, 'schedule.approved', p_schedule,
        jsonb_build_object('sha256', asked.sha256, 'proposed_by', asked.proposed_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_schedule IS
    'This schedule, of this digest, runs from its next due time on; never by the login that proposed it.';
GRANT EXECUTE ON FUNCTION fsgov.approve_schedule TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.end_schedule(p_schedule text, p_reason text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person  text := fsgov.me();
    before  fsgov.schedules := fsgov.my_schedule(p_schedule);
    stopped text[];
    each    text;
BEGIN
    UPDATE fsgov.schedules s SET ended_by = person, ended_at = now(), ended_for = coalesce(p_reason, '') WHERE s.id = p_schedule;
    stopped := ARRAY(SELECT p.id FROM fsgov.plans p
        WHERE p.schedule = p_schedule AND p.state IN ('approved', 'applying', 'waiting') ORDER BY 1);
    PERFORM fsgov.enter_from_desk(person, 'schedule.ended', p_schedule,
        jsonb_build_object('approved', before.approved_by IS NOT NULL, 'stopped', to_jsonb(stopped)));
    FOREACH each IN ARRAY stopped LOOP
        PERFORM fsgov.stop_plan(each, 'its schedule was ended');
    END LOOP;
    RETURN stopped;
END $$;
COMMENT ON FUNCTION fsgov.end_schedule IS
    'It runs no more, or is not approved any more; and nothing more is begun by its plans, which the answer names (stop_plan).';
GRANT EXECUTE ON FUNCTION fsgov.end_schedule TO fsgov_privacy, fsgov_supervisor;

CREATE FUNCTION fsgov.schedules_open() RETURNS TABLE (schedule text, tenant text, causes text[], grace_days integer, most bigint,
    due_at timestamptz, refused bigint, ending boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT s.id, s.tenant, s.causes, s.grace_days, s.most,
        (SELECT max(d) FROM fsgov.due_times(s.every, s.at, s.timezone, greatest(s.approved_at, now() - interval '8 days'), now()) AS d
         WHERE s.expires_at > now()
         HAVING NOT EXISTS (SELECT FROM fsgov.schedule_runs r WHERE r.schedule = s.id AND r.due_at >= max(d))),
        (SELECT r.found FROM fsgov.schedule_runs r WHERE r.schedule = s.id AND r.came = 'refused' AND s.expires_at > now()
            AND r.due_at = (SELECT max(l.due_at) FROM fsgov.schedule_runs l WHERE l.schedule = s.id)),
        s.expires_at <= now() + interval '30 days' AND NOT EXISTS (
            SELECT FROM fsgov.schedules o WHERE o.tenant IN (s.tenant, '*') AND o.approved_by IS NOT NULL AND o.ended_at IS NULL
                AND o.expires_at > s.expires_at AND o.expires_at > now())
    FROM fsgov.schedules s WHERE s.approved_by IS NOT NULL AND s.ended_at IS NULL ORDER BY s.approved_at, s.id
$$;
COMMENT ON FUNCTION fsgov.schedules_open IS
    'Schedules that are approved and that nobody has ended. due_at: their last due time, where there was no run for it (null: nothing is to be done). refused: how much the last run found, where that was more than it may be. ending: within 30 days it expires, or it has, and no other one goes on for its tenant.';
GRANT EXECUTE ON FUNCTION fsgov.schedules_open TO fsgov_keep;

CREATE FUNCTION fsgov.schedule_runs_now(p_schedule text, p_due_at timestamptz, p_lock boolean) RETURNS fsgov.schedules
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about fsgov.schedules;
BEGIN
    IF p_lock THEN
        PERFORM FROM fsgov.schedules s WHERE s.id = p_schedule FOR NO KEY UPDATE;
    END IF;
    SELECT * INTO about FROM fsgov.schedules s WHERE s.id = p_schedule;
    IF NOT FOUND OR about.approved_by IS NULL OR about.ended_at IS NOT NULL OR about.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'this schedule is not in force' USING ERRCODE = 'FG409', DETAIL = p_schedule;
    END IF;
    IF fsgov.schedule_digest(p_schedule) <> about.sha256 THEN
        RAISE EXCEPTION 'this is not the schedule that was approved' USING ERRCODE = 'FG422', DETAIL = p_schedule;
    END IF;
    IF p_due_at IS NULL OR p_due_at <= about.approved_at OR p_due_at > clock_timestamp() OR NOT EXISTS (
            SELECT FROM fsgov.due_times(about.every, about.at, about.timezone, p_due_at - interval '1 second', p_due_at))
       OR EXISTS (SELECT FROM fsgov.schedule_runs r WHERE r.schedule = p_schedule AND r.due_at >= p_due_at) THEN
        RAISE EXCEPTION 'this schedule is not due' USING ERRCODE = 'FG409', DETAIL = format('%s at %s', p_schedule, p_due_at);
    END IF;
    RETURN about;
END $$;
COMMENT ON FUNCTION fsgov.schedule_runs_now IS
    'Internal: this schedule, where it is in force, as it was approved, and due at that time without a run for it or a later one.';

CREATE FUNCTION fsgov.begin_run(p_schedule text, p_due_at timestamptz, OUT plan text, OUT came text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about fsgov.schedules;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7377474, hashtext(p_schedule)) THEN
        came := 'elsewhere';
        RETURN;
    END IF;
    about := fsgov.schedule_runs_now(p_schedule, p_due_at, false);
    IF EXISTS (SELECT FROM fsgov.plans p WHERE p.kind = 'retention' AND p.state IN ('approved', 'applying') AND p.expires_at > now()
               AND (p.tenant IN (about.tenant, '*') OR about.tenant = '*')) THEN
        came := 'busy';
        INSERT INTO fsgov.schedule_runs (schedule, due_at, tenant, came) VALUES (p_schedule, p_due_at, about.tenant, came);
        RETURN;
    END IF;
    plan := fsgov.random_id('pl-');
    INSERT INTO fsgov.plans (id, tenant, kind, schedule, reason, state, most, proposed_by, expires_at)
        VALUES (plan, about.tenant, 'retention', p_schedule, about.reason, 'draft', about.most, about.proposed_by,
            date_trunc('second', now() + interval '7 days'));
END $$;
COMMENT ON FUNCTION fsgov.begin_run IS
    'keep runs a schedule that is due: a draft, for add_to_plan and end_run in the same transaction. came: there is none, since another plan is under way (busy, noted as a run) or another keep is at it (elsewhere).';
GRANT EXECUTE ON FUNCTION fsgov.begin_run TO fsgov_keep;

CREATE FUNCTION fsgov.end_run(p_plan text, p_due_at timestamptz, p_found bigint, p_facts jsonb, OUT came text, OUT sha256 text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    drafted fsgov.plans;
    about   fsgov.schedules;
    counted bigint;
    total   bigint;
    kinds   jsonb;
BEGIN
    SELECT * INTO drafted FROM fsgov.plans p WHERE p.id = p_plan AND p.schedule IS NOT NULL FOR UPDATE;
    IF drafted.state IS DISTINCT FROM 'draft' THEN
        RAISE EXCEPTION 'this plan is none that this login drafts' USING ERRCODE = 'FG409', DETAIL = p_plan;
    END IF;
    about := fsgov.schedule_runs_now(drafted.schedule, p_due_at, true);
    SELECT coalesce(sum(n), 0), coalesce(sum(bytes), 0), coalesce(jsonb_object_agg(cause, n), '{}')
    INTO counted, total, kinds
    FROM (SELECT i.cause, count(*) AS n, sum(i.size) AS bytes FROM fsgov.plan_items i WHERE i.plan = p_plan GROUP BY 1) AS found;
    IF EXISTS (SELECT FROM jsonb_object_keys(kinds) AS k WHERE k <> ALL (about.causes)) THEN
        RAISE EXCEPTION 'the schedule was not approved for this' USING ERRCODE = 'FG422', DETAIL = kinds::text;
    END IF;
    came := CASE WHEN greatest(counted, p_found) > about.most THEN 'refused' WHEN counted = 0 THEN 'nothing' ELSE 'planned' END;
    IF came = 'planned' THEN
        sha256 := fsgov.plan_digest(p_plan);
        UPDATE fsgov.plans p SET state = 'approved', approved_by = about.approved_by, approved_at = now(), items = counted,
            size = total, causes = kinds, facts = coalesce(p_facts, '{}'), sha256 = end_run.sha256 WHERE p.id = p_plan;
    ELSE
        DELETE FROM fsgov.plan_items i WHERE i.plan = p_plan;
        DELETE FROM fsgov.plans p WHERE p.id = p_plan;
    END IF;
    INSERT INTO fsgov.schedule_runs (schedule, due_at, tenant, came, found, plan)
        VALUES (about.id, p_due_at, about.tenant, came, greatest(counted, p_found), CASE came WHEN 'planned' THEN p_plan END);
END $$;
COMMENT ON FUNCTION fsgov.end_run IS
    'The draft of a run is whole. It is approved, by the two persons of its schedule, unless there is nothing in it, or more is due (p_found) than the schedule may take: then there is no plan. The schedule is looked at once more: whoever ended it meanwhile has.';
GRANT EXECUTE ON FUNCTION fsgov.end_run TO fsgov_keep;

-- -- keep carries plans out --------------------------------------------------------------------------------

CREATE FUNCTION fsgov.begin_plan(p_plan text) RETURNS fsgov.plans
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    begun fsgov.plans;
BEGIN
    SELECT * INTO begun FROM fsgov.plans p WHERE p.id = p_plan FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such plan' USING ERRCODE = 'FG404', DETAIL = p_plan, HINT = 'fsgov purge status';
    END IF;
    IF begun.state NOT IN ('approved', 'applying', 'waiting') OR begun.approved_by IS NULL THEN
        RAISE EXCEPTION 'this plan is not approved' USING ERRCODE = 'FG409', DETAIL = p_plan || ' is ' || begun.state;
    END IF;
    IF begun.expires_at <= clock_timestamp() AND begun.state <> 'waiting' THEN
        RAISE EXCEPTION 'this plan has expired' USING ERRCODE = 'FG409', DETAIL = p_plan, HINT = 'make a new one: fsgov purge plan';
    END IF;
    PERFORM fsgov.refuse_latched();
    IF fsgov.plan_digest(p_plan) <> begun.sha256 THEN
        RAISE EXCEPTION 'this is not the plan that was approved' USING ERRCODE = 'FG422', DETAIL = p_plan;
    END IF;
    UPDATE fsgov.plans p SET state = 'applying', begun_at = coalesce(p.begun_at, now()) WHERE p.id = p_plan AND p.state = 'approved';
    RETURN begun;
END $$;
COMMENT ON FUNCTION fsgov.begin_plan IS 'keep begins this plan, or goes on with it: approved, not expired, unchanged. Answers what it was before.';
GRANT EXECUTE ON FUNCTION fsgov.begin_plan TO fsgov_keep;

CREATE FUNCTION fsgov.plan_work() RETURNS TABLE (plan text, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT p.id, p.state FROM fsgov.plans p
    WHERE (p.state IN ('approved', 'applying') AND p.expires_at > now() OR p.state = 'waiting') AND NOT fsgov.latched()
    ORDER BY p.state = 'waiting', p.approved_at, p.id
$$;
COMMENT ON FUNCTION fsgov.plan_work IS 'Plans that may be applied now, the first approved first; none while purge waits after a restore.';
GRANT EXECUTE ON FUNCTION fsgov.plan_work TO fsgov_keep;

CREATE FUNCTION fsgov.plan_next(p_plan text, p_after text, p_limit integer)
RETURNS TABLE (segment text, call text, cause text, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT i.segment, s.call, i.cause, i.state FROM fsgov.plan_items i JOIN fsgov.segments s USING (segment)
    WHERE i.plan = p_plan AND i.segment > p_after
        AND (i.state = 'planned' OR i.state = 'scheduled' AND i.again_at <= now()
             OR i.state = 'held' AND EXISTS (SELECT FROM fsgov.plans p WHERE p.id = p_plan AND p.kind = 'erasure'))
    ORDER BY i.segment LIMIT p_limit
$$;
COMMENT ON FUNCTION fsgov.plan_next IS 'Items of a plan whose turn has come, after this one, by segment.';
GRANT EXECUTE ON FUNCTION fsgov.plan_next TO fsgov_keep;

CREATE FUNCTION fsgov.put_off(p_plan text, p_segments text[], p_state text, p_why text, p_again_at timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF p_state NOT IN ('scheduled', 'kept') THEN
        RAISE EXCEPTION 'items are put off as scheduled or kept' USING ERRCODE = 'FG422', DETAIL = p_state;
    END IF;
    UPDATE fsgov.plan_items i SET state = p_state, why = p_why, again_at = p_again_at
    WHERE i.plan = p_plan AND i.segment = ANY (p_segments) AND i.state IN ('planned', 'held', 'scheduled');
END $$;
COMMENT ON FUNCTION fsgov.put_off IS 'These items are not destroyed now: locked in a vault until then (scheduled), or not due any more (kept).';
GRANT EXECUTE ON FUNCTION fsgov.put_off TO fsgov_keep;

CREATE FUNCTION fsgov.begin_destruction(p_plan text, p_segments text[])
RETURNS TABLE (segment text, call text, verdict text, why text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    plan    fsgov.plans;
    item    fsgov.plan_items;
    about   fsgov.segments;
    holding text[];
    begun   bigint;
    each    text;
BEGIN
    PERFORM fsgov.lock_holds(false);  -- from here on no hold comes into force before this is committed
    SELECT * INTO plan FROM fsgov.plans p WHERE p.id = p_plan FOR UPDATE;
    IF NOT FOUND OR plan.state NOT IN ('applying', 'waiting') OR plan.approved_by IS NULL THEN
        RAISE EXCEPTION 'this plan is not being applied' USING ERRCODE = 'FG409', DETAIL = p_plan;
    END IF;
    IF plan.expires_at <= clock_timestamp() AND plan.state <> 'waiting' THEN
        RAISE EXCEPTION 'this plan has expired' USING ERRCODE = 'FG409', DETAIL = p_plan, HINT = 'make a new one: fsgov purge plan';
    END IF;
    SELECT count(*) INTO begun FROM fsgov.erased e WHERE e.plan = p_plan;
    FOR each IN SELECT DISTINCT u FROM unnest(p_segments) AS u ORDER BY u LOOP
        SELECT * INTO item FROM fsgov.plan_items i WHERE i.plan = p_plan AND i.segment = each FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'this recording is not in the plan' USING ERRCODE = 'FG409', DETAIL = each;
        END IF;
        SELECT * INTO about FROM fsgov.segments s WHERE s.segment = each FOR UPDATE;
        holding := '{}';
        IF item.state NOT IN ('planned', 'held', 'scheduled') THEN
            verdict := item.state;
        ELSIF about.state IS NULL OR about.state NOT IN ('stored', 'quarantined') THEN
            verdict := 'gone';
        ELSIF EXISTS (SELECT FROM fsgov.copies k WHERE k.segment = each AND k.state = 'copying') THEN
            verdict := 'planned';  -- keep puts a copy, which would outlive it: its turn comes again
        ELSE
            holding := fsgov.held(each);
            verdict := CASE WHEN cardinality(holding) > 0 THEN 'held' ELSE 'destroying' END;
        END IF;
        IF verdict = 'destroying' AND item.state <> 'destroying' THEN
            begun := begun + 1;
            IF begun > plan.most THEN
                RAISE EXCEPTION 'the plan would destroy more than it may' USING ERRCODE = 'FG409', DETAIL = p_plan;
            END IF;
            UPDATE fsgov.segments s SET state = 'destroying' WHERE s.segment = each;
            INSERT INTO fsgov.erased (segment, tenant, plan, cause, proposed_by, approved_by, key_sha256, recipients)
            SELECT each, about.tenant, p_plan, item.cause, plan.proposed_by, plan.approved_by,
                encode(sha256(k.wrapped_key), 'hex'), coalesce(k.recipients, '{}')
            FROM (SELECT) AS one LEFT JOIN fsgov.segment_keys k ON k.segment = each;
        END IF;
        UPDATE fsgov.plan_items i SET state = verdict, why = array_to_string(holding, ' '), again_at = NULL
        WHERE i.plan = p_plan AND i.segment = each AND i.state <> verdict;
        segment := each; call := about.call; why := array_to_string(holding, ' ');
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION fsgov.begin_destruction IS
    'tx1 of a destruction: under the lock that placing a hold takes, what is not held becomes destroying, and erased has a row that names by whom and why. From here on it is only ever brought to its end.';
GRANT EXECUTE ON FUNCTION fsgov.begin_destruction TO fsgov_keep;

CREATE FUNCTION fsgov.unfinished(p_after text, p_limit integer)
RETURNS TABLE (segment text, call text, tenant text, plan text, cause text, proposed_by text, approved_by text,
    begun_at timestamptz, audio_sha256 text, sealed_sha256 text, sealed_size bigint, key_sha256 text, recipients text[],
    versions jsonb, keys_at timestamptz, restored boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT s.segment, s.call, s.tenant, e.plan, e.cause, e.proposed_by, e.approved_by, e.noted_at, s.audio_sha256,
        s.sealed_sha256, s.sealed_size, e.key_sha256, e.recipients, e.versions, e.keys_at, e.restored
    FROM fsgov.segments s JOIN fsgov.erased e USING (segment)
    WHERE s.state = 'destroying' AND s.segment > p_after AND coalesce(e.again_at, '-infinity') <= now()
    ORDER BY s.segment LIMIT p_limit
$$;
COMMENT ON FUNCTION fsgov.unfinished IS
    'What is being destroyed, whichever plan began it, and no vault is known to keep for now: to be brought to its end.';
GRANT EXECUTE ON FUNCTION fsgov.unfinished TO fsgov_keep;

CREATE FUNCTION fsgov.note_versions(p_segment text, p_versions jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.erased e SET versions = e.versions || (
        SELECT coalesce(jsonb_agg(v), '[]') FROM jsonb_array_elements(p_versions) AS v WHERE NOT e.versions @> jsonb_build_array(v))
    WHERE e.segment = p_segment AND EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = p_segment AND s.state = 'destroying');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this recording is not being destroyed' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.note_versions IS 'The vaults listed these versions of its objects, and they are removed now.';
GRANT EXECUTE ON FUNCTION fsgov.note_versions TO fsgov_keep;

CREATE FUNCTION fsgov.destroy_keys(p_segments text[]) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(p_segments) AS u WHERE NOT EXISTS (
            SELECT FROM fsgov.segments s JOIN fsgov.erased e USING (segment) WHERE s.segment = u AND s.state = 'destroying')) THEN
        RAISE EXCEPTION 'a recording is not being destroyed' USING ERRCODE = 'FG409';
    END IF;
    DELETE FROM fsgov.segment_keys k WHERE k.segment = ANY (p_segments);
    UPDATE fsgov.erased e SET keys_at = coalesce(e.keys_at, now()) WHERE e.segment = ANY (p_segments);
    RETURN now();
END $$;
COMMENT ON FUNCTION fsgov.destroy_keys IS
    'tx2 of a destruction: every wrapped key of these recordings is gone. Only after the ledger (erased/ in the key buckets) names them.';
GRANT EXECUTE ON FUNCTION fsgov.destroy_keys TO fsgov_keep;

CREATE FUNCTION fsgov.certify(p_batch text, p_segments text[], p_bodies bytea[], p_origin text, p_first bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    gone  fsgov.erased;
    said  jsonb;
    place integer;
BEGIN
    FOR place IN 1 .. cardinality(p_segments) LOOP
        SELECT * INTO gone FROM fsgov.erased e WHERE e.segment = p_segments[place] FOR UPDATE;
        said := convert_from(p_bodies[place], 'UTF8')::jsonb;
        IF gone.keys_at IS NULL OR said ->> 'segment' IS DISTINCT FROM gone.segment
           OR said ->> 'plan' IS DISTINCT FROM gone.plan OR said ->> 'cause' IS DISTINCT FROM gone.cause
           OR said ->> 'proposed_by' IS DISTINCT FROM gone.proposed_by OR said ->> 'approved_by' IS DISTINCT FROM gone.approved_by
           OR EXISTS (SELECT FROM fsgov.segment_keys k WHERE k.segment = gone.segment) THEN
            RAISE EXCEPTION 'this is no certificate of what was destroyed' USING ERRCODE = 'FG422', DETAIL = p_segments[place];
        END IF;
        UPDATE fsgov.segments s SET state = 'destroyed' WHERE s.segment = gone.segment AND s.state = 'destroying';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'this recording is not being destroyed' USING ERRCODE = 'FG409', DETAIL = p_segments[place];
        END IF;
        INSERT INTO fsgov.certificates (segment, tenant, plan, batch, place, origin, n, batch_n, body, sha256,
            destroyed_at, complete_after)
        SELECT s.segment, s.tenant, gone.plan, p_batch, place - 1, p_origin, p_first + place - 1,
            p_first + cardinality(p_segments), p_bodies[place], encode(sha256(p_bodies[place]), 'hex'),
            (said ->> 'destroyed_at')::timestamptz, (said ->> 'complete_after')::timestamptz
        FROM fsgov.segments s WHERE s.segment = gone.segment;
        UPDATE fsgov.plan_items i SET state = 'destroyed', why = '', again_at = NULL
        WHERE i.plan = gone.plan AND i.segment = gone.segment;
        DELETE FROM fsgov.scrubs r WHERE r.segment = gone.segment;
        DELETE FROM fsgov.noted n WHERE n.kind = 'damaged-object' AND n.subject = gone.segment;
        DELETE FROM fsgov.noted n USING fsgov.artefacts a
        WHERE n.kind = 'damaged-object' AND n.subject = a.artefact AND a.segment = gone.segment;
    END LOOP;
END $$;
COMMENT ON FUNCTION fsgov.certify IS
    'tx3 of a destruction: tombstone and certificate. The bodies name what erased has, and no key of theirs is left. Their lines are p_first and the following of p_origin, in the same transaction; that of all of them together is the last.';
GRANT EXECUTE ON FUNCTION fsgov.certify TO fsgov_keep;

CREATE FUNCTION fsgov.canary_done(p_plan text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.plans p SET canary_at = now() WHERE p.id = p_plan AND p.canary_at IS NULL
$$;
COMMENT ON FUNCTION fsgov.canary_done IS 'The first few of this plan are destroyed, provably; the others follow after a while.';
GRANT EXECUTE ON FUNCTION fsgov.canary_done TO fsgov_keep;

CREATE FUNCTION fsgov.item_counts(p_plan text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(found.state, found.n), '{}')
    FROM (SELECT i.state, count(*) AS n FROM fsgov.plan_items i WHERE i.plan = p_plan GROUP BY 1) AS found
$$;
COMMENT ON FUNCTION fsgov.item_counts IS 'How many recordings of a plan are in which state.';
GRANT EXECUTE ON FUNCTION fsgov.item_counts TO fsgov_keep;

CREATE FUNCTION fsgov.end_plan(p_plan text, OUT state text, OUT counts jsonb, OUT changed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    before fsgov.plans;
BEGIN
    SELECT * INTO before FROM fsgov.plans p WHERE p.id = p_plan FOR UPDATE;
    counts := fsgov.item_counts(p_plan);
    state := CASE WHEN before.state NOT IN ('applying', 'waiting') OR counts ?| '{planned,destroying}' THEN before.state
                  WHEN counts ? 'scheduled' OR counts ? 'held' AND before.kind = 'erasure' THEN 'waiting'
                  ELSE 'done' END;
    changed := state <> before.state;
    UPDATE fsgov.plans p SET state = end_plan.state, ended_at = CASE end_plan.state WHEN 'done' THEN now() END
    WHERE p.id = p_plan AND changed;
END $$;
COMMENT ON FUNCTION fsgov.end_plan IS
    'What has become of the plan: done, waiting for what is locked (and, of an erasure, held), or as before.';
GRANT EXECUTE ON FUNCTION fsgov.end_plan TO fsgov_keep;

CREATE FUNCTION fsgov.halt_plan(p_plan text, p_why text) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.plans p SET state = 'stopped', stopped_for = p_why, ended_at = now()
    WHERE p.id = p_plan AND p.state IN ('approved', 'applying', 'waiting') RETURNING fsgov.item_counts(p_plan)
$$;
COMMENT ON FUNCTION fsgov.halt_plan IS
    'keep stops this plan: its canary went wrong, or it is not what was approved. How many of its items are in which state; null where it was over.';
GRANT EXECUTE ON FUNCTION fsgov.halt_plan TO fsgov_keep;

CREATE FUNCTION fsgov.destruction_waits(p_segment text, p_why text, p_again_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.erased e SET why = p_why, again_at = p_again_at WHERE e.segment = p_segment
$$;
COMMENT ON FUNCTION fsgov.destruction_waits IS
    'A vault has locked it after its destruction had begun: the key is gone, what is left is removed when it lets go.';
GRANT EXECUTE ON FUNCTION fsgov.destruction_waits TO fsgov_keep;

CREATE FUNCTION fsgov.be_purger() RETURNS boolean LANGUAGE sql VOLATILE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT pg_try_advisory_lock(7377473)
$$;
COMMENT ON FUNCTION fsgov.be_purger IS 'True: this connection purges until it ends. False: another one does.';
GRANT EXECUTE ON FUNCTION fsgov.be_purger TO fsgov_keep;

CREATE FUNCTION fsgov.erased_among(p_segments text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT e.segment FROM fsgov.erased e WHERE e.segment = ANY (p_segments) AND e.keys_at IS NOT NULL
$$;
COMMENT ON FUNCTION fsgov.erased_among IS 'For ship: which of these it must not keep a copy of any more, sealed or not.';
GRANT EXECUTE ON FUNCTION fsgov.erased_among TO fsgov_ship;



-- == Copies ================================================================================================

CREATE FUNCTION fsgov.lock_grows() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    NEW.until := greatest(NEW.until, OLD.until);
    NEW.mode := CASE WHEN 'COMPLIANCE' IN (NEW.mode, OLD.mode) AND OLD.until > now() THEN 'COMPLIANCE' ELSE NEW.mode END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION fsgov.lock_grows IS 'Trigger: no vault lets go of a lock, so no row says less than it did.';
CREATE TRIGGER grows BEFORE UPDATE ON fsgov.locks FOR EACH ROW EXECUTE FUNCTION fsgov.lock_grows();

CREATE FUNCTION fsgov.note_lock(p_segment text, p_vault text, p_mode text, p_until timestamptz, p_artefact text DEFAULT '')
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    INSERT INTO fsgov.locks AS l (segment, artefact, vault, tenant, mode, until)
    SELECT s.segment, p_artefact, p_vault, s.tenant, p_mode, p_until FROM fsgov.segments s
    WHERE s.segment = p_segment AND (session_user <> 'fsgov_ship' OR s.entered_at = now())
    ON CONFLICT (segment, vault, artefact) DO UPDATE SET mode = p_mode, until = p_until, set_at = now()
    WHERE l.until < p_until OR l.mode = 'GOVERNANCE' AND p_mode = 'COMPLIANCE';
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION fsgov.note_lock IS
    'The vault shows this lock on audio and key of the segment, or on this artefact of it; ship says so in the transaction that enters it, and never again. False: that was known, or there is no such segment.';
GRANT EXECUTE ON FUNCTION fsgov.note_lock TO fsgov_ship, fsgov_keep;

CREATE FUNCTION fsgov.locked_until(p_segment text) RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT max(l.until) FROM fsgov.locks l WHERE l.segment = p_segment AND l.until > now() AND fsgov.shows(l.tenant)
$$;
COMMENT ON FUNCTION fsgov.locked_until IS
    'Until when some vault refuses to remove this segment; null: none does. Before that its key is not destroyed either.';
GRANT EXECUTE ON FUNCTION fsgov.locked_until TO fsgov_keep, fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;

CREATE FUNCTION fsgov.policies_that_lock() RETURNS TABLE (sha256 text, text text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT p.sha256, p.text FROM fsgov.policies p WHERE position('lock' IN p.text) > 0 ORDER BY p.entered_at, p.sha256
$$;
COMMENT ON FUNCTION fsgov.policies_that_lock IS 'For keep: every policy whose text may ask for locks; keep reads it.';
GRANT EXECUTE ON FUNCTION fsgov.policies_that_lock TO fsgov_keep;

CREATE FUNCTION fsgov.lockable(p_policies text[], p_after text, p_limit integer) RETURNS TABLE (segment text, call text,
    policy_sha256 text, purposes text[], ended_at timestamptz, anchors jsonb, artefact text, vault text, object_key text,
    version_id text, key_version_id text, mode text, until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH RECURSIVE known AS MATERIALIZED (
        SELECT p.sha256, fsgov.judged_by(p.sha256) AS counts FROM fsgov.policies p
        WHERE fsgov.judged_by(p.sha256) = ANY (p_policies)
    ), page AS MATERIALIZED (
        SELECT s.*, (SELECT k.counts FROM known k WHERE k.sha256 = s.policy_sha256) AS counts FROM fsgov.segments s
        WHERE s.state = 'stored' AND NOT s.dispose AND s.segment > p_after
            AND s.policy_sha256 = ANY (ARRAY(SELECT k.sha256 FROM known k))
        ORDER BY s.segment LIMIT p_limit
    ), whole(segment, call) AS (
        SELECT p.segment, p.call FROM page p
        UNION SELECT w.segment, c.merged_into FROM whole w JOIN fsgov.calls c USING (call) WHERE c.merged_into IS NOT NULL
    ), told AS (
        SELECT e.segment, jsonb_object_agg(e.event, e.at) AS anchors FROM (
            SELECT w.segment, a.event, (extract(epoch FROM max(a.at)) * 1000000)::bigint AS at
            FROM whole w JOIN fsgov.anchors a USING (call) WHERE a.at IS NOT NULL GROUP BY 1, 2) AS e GROUP BY 1
    )
    SELECT p.segment, p.call, p.counts, p.purposes, coalesce(c.ended_at, p.closed_at, p.stored_at),
        coalesce(t.anchors, '{}'), o.artefact, o.vault, o.object_key, o.version_id, o.key_version_id, l.mode, l.until
    FROM page p LEFT JOIN fsgov.calls c USING (call) LEFT JOIN told t ON t.segment = p.segment
    CROSS JOIN LATERAL (
        SELECT '' AS artefact, p.vault, p.object_key, p.version_id, p.key_version_id
        UNION ALL
        SELECT '', k.vault, k.object_key, k.version_id, k.key_version_id FROM fsgov.copies k
        WHERE k.segment = p.segment AND k.state = 'stored'
        UNION ALL
        SELECT a.artefact, a.vault, a.object_key, a.version_id, '' FROM fsgov.artefacts a
        WHERE a.segment = p.segment AND a.state = 'stored'
        UNION ALL
        SELECT a.artefact, k.vault, a.object_key, k.artefacts ->> a.object_key, '' FROM fsgov.artefacts a
        JOIN fsgov.copies k ON k.segment = a.segment AND k.state = 'stored' AND k.artefacts ? a.object_key
        WHERE a.segment = p.segment AND a.state = 'stored'
    ) AS o
    LEFT JOIN fsgov.locks l ON l.segment = p.segment AND l.vault = o.vault AND l.artefact = o.artefact
    ORDER BY p.segment, o.vault, o.artefact
$$;
COMMENT ON FUNCTION fsgov.lockable IS
    'For keep, a page at a time: what the periods of these policies count for, in each vault where it is stored, with what was made of it, and the lock known there. Neither quarantined nor to be disposed of: that is never locked.';
GRANT EXECUTE ON FUNCTION fsgov.lockable TO fsgov_keep;

CREATE FUNCTION fsgov.ask_copy(p_segment text, p_vault text, p_moving boolean, p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops,fsgov_privacy}');
    about  fsgov.segments;
    there  fsgov.copies;
    copy   text;
BEGIN
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = p_segment FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such segment' USING ERRCODE = 'FG404', DETAIL = p_segment;
    END IF;
    IF about.state NOT IN ('stored', 'quarantined') OR about.dispose THEN
        RAISE EXCEPTION 'this recording is not to be copied' USING ERRCODE = 'FG409',
            DETAIL = p_segment || ' is ' || CASE WHEN about.dispose THEN 'to be destroyed' ELSE about.state END;
    END IF;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'a copy needs a reason' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    IF about.vault = p_vault THEN
        RAISE EXCEPTION 'this recording is in that vault' USING ERRCODE = 'FG409', DETAIL = p_segment || ' in ' || p_vault;
    END IF;
    SELECT * INTO there FROM fsgov.copies k
        WHERE k.segment = p_segment AND k.vault = p_vault AND k.state NOT IN ('gone', 'refused') FOR UPDATE;
    IF there.state = 'leaving' OR there.state = 'copying' OR there.moving OR (there.id IS NOT NULL AND NOT p_moving) THEN
        RAISE EXCEPTION 'there is a copy in that vault' USING ERRCODE = 'FG409',
            DETAIL = p_segment || ' in ' || p_vault || ': ' || there.state;
    END IF;
    IF EXISTS (SELECT FROM fsgov.copies k WHERE k.segment = p_segment AND k.moving AND p_moving
               AND k.state IN ('asked', 'copying', 'tried')) THEN
        RAISE EXCEPTION 'this recording is being moved' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    IF there.id IS NOT NULL THEN
        UPDATE fsgov.copies k SET moving = true, state = 'asked', asked_by = person, asked_at = now(), said = '',
            xact = pg_current_xact_id(), reason = p_reason WHERE k.id = there.id RETURNING k.id INTO copy;
    ELSE
        copy := fsgov.random_id('c-');
        INSERT INTO fsgov.copies (id, segment, tenant, vault, moving, object_key, asked_by, reason)
            VALUES (copy, p_segment, about.tenant, p_vault, p_moving, about.object_key, person, p_reason);
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'segment.copy.asked', p_segment,
        jsonb_build_object('call', about.call, 'copy', copy, 'vault', p_vault, 'moving', p_moving));
    RETURN copy;
END $$;
COMMENT ON FUNCTION fsgov.ask_copy IS
    'A recording is to be copied into another vault, or moved there; keep does it, or refuses where residency forbids it. A move into a vault that has a copy makes that copy the recording. The answer is the id of the copy.';
GRANT EXECUTE ON FUNCTION fsgov.ask_copy TO fsgov_ops, fsgov_privacy;

CREATE FUNCTION fsgov.drop_copy(p_segment text, p_vault text, p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops,fsgov_privacy}');
    about  fsgov.segments;
    copy   text;
BEGIN
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = p_segment FOR UPDATE;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'to drop a copy needs a reason' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    UPDATE fsgov.copies k SET moving = false, reason = p_reason, said = '', asked_by = person,
        state = CASE WHEN k.state = 'asked' AND k.version_id IS NULL THEN 'gone' ELSE 'leaving' END,
        gone_at = CASE WHEN k.state = 'asked' AND k.version_id IS NULL THEN now() END
    WHERE k.segment = p_segment AND k.vault = p_vault AND k.state IN ('asked', 'tried', 'stored') RETURNING k.id INTO copy;
    IF copy IS NULL THEN
        RAISE EXCEPTION 'there is no copy to drop in that vault' USING ERRCODE = 'FG404',
            DETAIL = p_segment || ' in ' || p_vault, HINT = 'fsgov recordings copies';
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'segment.copy.dropped', p_segment,
        jsonb_build_object('call', about.call, 'copy', copy, 'vault', p_vault));
    RETURN copy;
END $$;
COMMENT ON FUNCTION fsgov.drop_copy IS
    'This copy is to be removed; keep does it, once it has proven that the recording itself is whole. Never the place that the row names.';
GRANT EXECUTE ON FUNCTION fsgov.drop_copy TO fsgov_ops, fsgov_privacy;

CREATE FUNCTION fsgov.replica_of(p_vault text, p_of text, p_by_store boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    INSERT INTO fsgov.replicas (vault, of, by_store) VALUES (p_vault, p_of, p_by_store)
    ON CONFLICT (vault) DO UPDATE SET of = p_of, by_store = p_by_store, seen_at = now()
$$;
COMMENT ON FUNCTION fsgov.replica_of IS 'keep is configured with this vault as a replica of that one.';
GRANT EXECUTE ON FUNCTION fsgov.replica_of TO fsgov_keep;

CREATE FUNCTION fsgov.lack_of_replica(p_vault text, p_of text, p_before timestamptz, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    more bigint;
BEGIN
    INSERT INTO fsgov.copies (id, segment, tenant, vault, object_key)
    SELECT fsgov.random_id('c-'), s.segment, s.tenant, p_vault, s.object_key FROM fsgov.segments s
    WHERE s.vault = p_of AND s.state = 'stored' AND NOT s.dispose AND s.stored_at < p_before
        AND NOT EXISTS (SELECT FROM fsgov.copies k WHERE k.segment = s.segment AND k.vault = p_vault)
    ORDER BY s.stored_at LIMIT p_limit
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN more;
END $$;
COMMENT ON FUNCTION fsgov.lack_of_replica IS
    'What is stored in p_of and was never asked for in its replica becomes asked there; how many. What was refused or dropped there stays so.';
GRANT EXECUTE ON FUNCTION fsgov.lack_of_replica TO fsgov_keep;

CREATE FUNCTION fsgov.copies_due(p_vaults text[], p_limit integer) RETURNS TABLE (id text, segment text, call text,
    vault text, state text, moving boolean, by_store boolean, object_key text, from_vault text, from_key text,
    from_version text, sealed_size bigint, sealed_sha256 text, segment_state text, dispose boolean, policies text[],
    countries text[], unknown boolean, mode text, until timestamptz, locked_here timestamptz, damaged text,
    artefacts jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT k.id, k.segment, coalesce(s.call, ''), k.vault, k.state, k.moving, coalesce(r.by_store, false), k.object_key,
        coalesce(s.vault, ''), coalesce(s.object_key, ''), coalesce(s.version_id, ''), coalesce(s.sealed_size, 0),
        coalesce(s.sealed_sha256, ''), coalesce(s.state, 'destroyed'), coalesce(s.dispose, true),
        array_remove(ARRAY[s.policy_sha256, (fsgov.activated()).sha256], NULL),
        ARRAY(SELECT DISTINCT p.country FROM fsgov.parties p WHERE p.call = s.call AND p.country IS NOT NULL ORDER BY 1),
        NOT EXISTS (SELECT FROM fsgov.parties p WHERE p.call = s.call)
            OR EXISTS (SELECT FROM fsgov.parties p WHERE p.call = s.call AND p.country IS NULL),
        l.mode, l.until, h.until, coalesce(k.damaged, ''),
        coalesce((SELECT jsonb_agg(jsonb_build_array(a.vault, a.object_key, a.version_id, a.sealed_size, a.sealed_sha256)
                                   ORDER BY a.object_key)
                  FROM fsgov.artefacts a WHERE a.segment = k.segment
                      AND (a.state = 'stored' OR a.state = 'removing' AND k.state = 'leaving')), '[]')
    FROM fsgov.copies k LEFT JOIN fsgov.segments s USING (segment)
    LEFT JOIN fsgov.replicas r ON r.vault = k.vault AND r.of = s.vault
    LEFT JOIN fsgov.locks l ON l.segment = k.segment AND l.artefact = '' AND l.vault = s.vault AND l.until > now()
    LEFT JOIN LATERAL (SELECT max(x.until) AS until FROM fsgov.locks x
        WHERE x.segment = k.segment AND x.vault = k.vault AND x.until > now()) AS h ON true
    WHERE k.state IN ('asked', 'tried', 'leaving') AND k.vault = ANY (p_vaults) AND coalesce(k.again_at, '-infinity') <= now()
    ORDER BY k.state = 'leaving', coalesce(k.again_at, k.asked_at), k.id LIMIT p_limit
$$;
COMMENT ON FUNCTION fsgov.copies_due IS
    'For keep: copies to make or to remove now, and what it has to know: where the recording is, whose call it is (by country), which policies bind it, the lock it has there, and until when the copy is locked.';
GRANT EXECUTE ON FUNCTION fsgov.copies_due TO fsgov_keep;

CREATE FUNCTION fsgov.policy_text(p_sha256 text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$ SELECT p.text FROM fsgov.policies p WHERE p.sha256 = p_sha256 $$;
COMMENT ON FUNCTION fsgov.policy_text IS 'For keep: the policy with this digest; null where it is not in the catalog.';
GRANT EXECUTE ON FUNCTION fsgov.policy_text TO fsgov_keep;

CREATE FUNCTION fsgov.copy_begins(p_copy text, p_origin text, p_n bigint, p_line bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about fsgov.copies;
    here  fsgov.segments;
    told  jsonb := convert_from(p_line, 'UTF8')::jsonb;
BEGIN
    SELECT s.* INTO here FROM fsgov.segments s JOIN fsgov.copies k USING (segment) WHERE k.id = p_copy FOR UPDATE OF s;
    SELECT * INTO about FROM fsgov.copies k WHERE k.id = p_copy FOR UPDATE;
    IF about.state IS NULL OR about.state NOT IN ('asked', 'tried') OR here.state IS NULL
       OR here.state NOT IN ('stored', 'quarantined') OR here.dispose THEN
        RAISE EXCEPTION 'this copy is not to be made' USING ERRCODE = 'FG409', DETAIL = p_copy;
    END IF;
    IF told ->> 'type' IS DISTINCT FROM 'fsgov.segment.copy.begun.v1' OR told #>> '{data,copy}' IS DISTINCT FROM p_copy
       OR told ->> 'subject' IS DISTINCT FROM about.segment THEN
        RAISE EXCEPTION 'this line does not tell of the copy' USING ERRCODE = 'FG422', DETAIL = p_copy;
    END IF;
    PERFORM fsgov.enter_lines(p_origin, p_n, ARRAY[p_line]);
    UPDATE fsgov.copies k SET state = 'copying', xact = pg_current_xact_id() WHERE k.id = p_copy;
END $$;
COMMENT ON FUNCTION fsgov.copy_begins IS
    'keep is about to put this copy, and this line tells of it. Until copy_failed or copy_proven the segment cannot be destroyed.';
GRANT EXECUTE ON FUNCTION fsgov.copy_begins TO fsgov_keep;

CREATE FUNCTION fsgov.copy_key(p_copy text) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about   fsgov.copies;
    wrapped bytea;
BEGIN
    SELECT * INTO about FROM fsgov.copies k WHERE k.id = p_copy;
    IF about.state IS DISTINCT FROM 'copying' OR pg_xact_status(about.xact) IS DISTINCT FROM 'committed' THEN
        RAISE EXCEPTION 'nothing tells of this copy yet' USING ERRCODE = 'FG409', DETAIL = p_copy;
    END IF;
    SELECT k.wrapped_key INTO wrapped FROM fsgov.segment_keys k WHERE k.segment = about.segment;
    IF wrapped IS NULL THEN
        RAISE EXCEPTION 'the key of this recording is destroyed' USING ERRCODE = 'FG404', DETAIL = about.segment;
    END IF;
    RETURN wrapped;
END $$;
COMMENT ON FUNCTION fsgov.copy_key IS
    'The wrapped key that goes into the other key bucket, once the line that tells of it is committed.';
GRANT EXECUTE ON FUNCTION fsgov.copy_key TO fsgov_keep;

CREATE FUNCTION fsgov.copy_failed(p_copy text, p_said text, p_again timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.copies k SET state = CASE k.state WHEN 'copying' THEN 'tried' ELSE k.state END, said = p_said, again_at = p_again
    WHERE k.id = p_copy AND k.state IN ('asked', 'copying', 'tried', 'leaving')
$$;
COMMENT ON FUNCTION fsgov.copy_failed IS 'It did not work, to make this copy or to remove it; keep tries again, not before p_again.';
GRANT EXECUTE ON FUNCTION fsgov.copy_failed TO fsgov_keep;

CREATE FUNCTION fsgov.copies_interrupted() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    cut bigint;
BEGIN
    UPDATE fsgov.copies k SET state = 'tried', said = 'keep ended meanwhile' WHERE k.state = 'copying';
    GET DIAGNOSTICS cut = ROW_COUNT;
    RETURN cut;
END $$;
COMMENT ON FUNCTION fsgov.copies_interrupted IS 'A keep begins to lead: nobody puts the copies any more that another one was at.';
GRANT EXECUTE ON FUNCTION fsgov.copies_interrupted TO fsgov_keep;

CREATE FUNCTION fsgov.copy_refused(p_copy text, p_said text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.copies k SET said = p_said, moving = false, again_at = NULL,
        state = CASE WHEN k.state = 'asked' AND k.version_id IS NULL THEN 'refused'
                     WHEN k.version_id IS NOT NULL AND k.stored_at IS NOT NULL THEN 'stored' ELSE 'leaving' END
    WHERE k.id = p_copy AND k.state IN ('asked', 'tried');
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION fsgov.copy_refused IS
    'This copy may not be made. Where something of it may be there it leaves; a copy that was only to become the recording stays a copy.';
GRANT EXECUTE ON FUNCTION fsgov.copy_refused TO fsgov_keep;

CREATE FUNCTION fsgov.follow(p_segment text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.copies k SET state = 'tried', said = 'something was made of it since, and is to come', again_at = NULL,
        asked_at = now()
    WHERE k.segment = p_segment AND k.state = 'stored' AND EXISTS (SELECT FROM fsgov.artefacts a
        WHERE a.segment = p_segment AND a.state = 'stored' AND a.vault <> k.vault AND NOT k.artefacts ? a.object_key)
$$;
COMMENT ON FUNCTION fsgov.follow IS
    'Internal: copies of this segment that lack something that was made of it are made again, with that.';

CREATE FUNCTION fsgov.copies_follow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    PERFORM fsgov.follow(NEW.segment);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.copies_follow IS 'Trigger: what was made of a recording after it was copied comes to its copies, too.';
CREATE TRIGGER copies_follow AFTER INSERT OR UPDATE OF state ON fsgov.artefacts FOR EACH ROW
    WHEN (NEW.state = 'stored') EXECUTE FUNCTION fsgov.copies_follow();

CREATE FUNCTION fsgov.copy_proven(p_copy text, p_sha256 text, p_version text, p_key_version text, p_artefacts jsonb)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about fsgov.copies;
    here  fsgov.segments;
BEGIN
    SELECT s.* INTO here FROM fsgov.segments s JOIN fsgov.copies k USING (segment) WHERE k.id = p_copy FOR UPDATE OF s;
    SELECT * INTO about FROM fsgov.copies k WHERE k.id = p_copy FOR UPDATE;
    IF about.state IS DISTINCT FROM 'copying' OR here.sealed_sha256 IS DISTINCT FROM p_sha256 THEN
        RAISE EXCEPTION 'these are not the bytes of this recording' USING ERRCODE = 'FG422', DETAIL = p_copy;
    END IF;
    IF NOT about.moving THEN
        UPDATE fsgov.copies k SET state = 'stored', stored_at = now(), proven_at = now(), said = '', version_id = p_version,
            key_version_id = p_key_version, artefacts = p_artefacts WHERE k.id = p_copy;
        PERFORM fsgov.follow(here.segment);
        RETURN '';
    END IF;
    -- what was made of it goes along; what waits for its vault waits for the new one
    UPDATE fsgov.artefacts a SET vault = about.vault, version_id = p_artefacts ->> a.object_key
    WHERE a.segment = here.segment AND a.vault = here.vault AND a.state = 'stored' AND p_artefacts ? a.object_key;
    UPDATE fsgov.artefacts a SET vault = about.vault WHERE a.segment = here.segment AND a.state = 'waiting';
    IF EXISTS (SELECT FROM fsgov.artefacts a WHERE a.segment = here.segment AND a.vault = here.vault AND a.state = 'stored') THEN
        RAISE EXCEPTION 'something was made of it meanwhile' USING ERRCODE = 'FG409', DETAIL = here.segment,
            HINT = 'it is moved with that, the next time';
    END IF;
    UPDATE fsgov.segments s SET vault = about.vault, object_key = about.object_key, version_id = p_version,
        key_version_id = p_key_version WHERE s.segment = here.segment;
    UPDATE fsgov.copies k SET state = 'leaving', moving = false, vault = here.vault, object_key = here.object_key, said = '',
        artefacts = '{}',
        version_id = here.version_id, key_version_id = here.key_version_id, stored_at = here.stored_at, again_at = NULL
    WHERE k.id = p_copy;
    -- replicas of the place that it leaves are no replicas of it any more
    UPDATE fsgov.copies k SET state = 'leaving', again_at = NULL FROM fsgov.replicas r
    WHERE k.segment = here.segment AND k.vault = r.vault AND r.of = here.vault AND k.vault <> about.vault
        AND k.asked_by IS NULL AND k.state IN ('asked', 'tried', 'stored');
    INSERT INTO fsgov.copies (id, segment, tenant, vault, state, object_key)
    SELECT fsgov.random_id('c-'), here.segment, here.tenant, r.vault, 'leaving', here.object_key FROM fsgov.replicas r
    WHERE r.of = here.vault AND r.by_store AND r.vault <> about.vault ON CONFLICT DO NOTHING;
    UPDATE fsgov.scrubs r SET looked_at = NULL, locked_until = NULL, lock_mode = '' WHERE r.segment = here.segment;
    RETURN here.vault;
END $$;
COMMENT ON FUNCTION fsgov.copy_proven IS
    'The copy was read back, and has this digest, which must be the row''s. Where it moves the row names it from now on; the answer is the vault that it leaves, "" for a copy.';
GRANT EXECUTE ON FUNCTION fsgov.copy_proven TO fsgov_keep;

CREATE FUNCTION fsgov.copies_to_prove(p_vaults text[], p_before timestamptz, p_limit integer) RETURNS TABLE (id text,
    vault text, object_key text, version_id text, sealed_size bigint, sealed_sha256 text, artefacts jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT k.id, k.vault, k.object_key, k.version_id, s.sealed_size, s.sealed_sha256,
        coalesce((SELECT jsonb_agg(jsonb_build_array(a.object_key, k.artefacts ->> a.object_key, a.sealed_size, a.sealed_sha256)
                                   ORDER BY a.object_key)
                  FROM fsgov.artefacts a WHERE a.segment = k.segment AND a.state = 'stored' AND k.artefacts ? a.object_key), '[]')
    FROM fsgov.copies k JOIN fsgov.segments s USING (segment)
    WHERE k.state = 'stored' AND k.vault = ANY (p_vaults) AND k.proven_at < p_before ORDER BY k.proven_at, k.id LIMIT p_limit
$$;
COMMENT ON FUNCTION fsgov.copies_to_prove IS 'For keep: copies that were not read back since p_before, the longest ago first.';
GRANT EXECUTE ON FUNCTION fsgov.copies_to_prove TO fsgov_keep;

CREATE FUNCTION fsgov.copy_looked(p_copy text, p_wrong text, p_version text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.copies k SET proven_at = now(), said = p_wrong, again_at = NULL,
        damaged = CASE p_wrong WHEN '' THEN k.damaged ELSE p_version END,
        state = CASE p_wrong WHEN '' THEN 'stored' ELSE 'tried' END
    WHERE k.id = p_copy AND k.state = 'stored'
$$;
COMMENT ON FUNCTION fsgov.copy_looked IS 'keep has read this copy again. Where it is not whole any more (p_wrong) that version (p_version, of the audio or of what was made of it) is made anew.';
GRANT EXECUTE ON FUNCTION fsgov.copy_looked TO fsgov_keep;

CREATE FUNCTION fsgov.copy_gone(p_copy text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.copies k SET state = 'gone', gone_at = now(), said = '' WHERE k.id = p_copy AND k.state = 'leaving';
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION fsgov.copy_gone IS 'The vault lists no version of this copy any more, nor of its key.';
GRANT EXECUTE ON FUNCTION fsgov.copy_gone TO fsgov_keep;

CREATE FUNCTION fsgov.copy_may_leave(p_copy text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.copies k WHERE k.id = p_copy AND k.state = 'leaving'
        AND fsgov.held(k.segment) = '{}' AND NOT fsgov.latched())
$$;
COMMENT ON FUNCTION fsgov.copy_may_leave IS
    'Whether no hold is in force for this copy, which is to be removed, and purge does not wait after a restore.';
GRANT EXECUTE ON FUNCTION fsgov.copy_may_leave TO fsgov_keep;

CREATE FUNCTION fsgov.copies_open() RETURNS TABLE (vault text, making bigint, stuck bigint, oldest timestamptz, said text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT k.vault, count(*) FILTER (WHERE k.state <> 'leaving'),
        count(*) FILTER (WHERE k.state = 'leaving' AND k.said <> '' AND k.again_at < now() + interval '1 day'
            AND NOT EXISTS (SELECT FROM fsgov.locks l WHERE l.segment = k.segment AND l.vault = k.vault AND l.until > now())
            AND fsgov.held(k.segment) = '{}'),
        min(k.asked_at) FILTER (WHERE k.state <> 'leaving'), coalesce(max(k.said), '')
    FROM fsgov.copies k WHERE k.state IN ('asked', 'copying', 'tried', 'leaving') GROUP BY 1 ORDER BY 1
$$;
COMMENT ON FUNCTION fsgov.copies_open IS
    'For the alarm of keep, by vault: copies still to be made, and those that do not leave though neither hold nor lock keeps them.';
GRANT EXECUTE ON FUNCTION fsgov.copies_open TO fsgov_keep;

CREATE FUNCTION fsgov.not_while_copied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM fsgov.copies k WHERE k.segment = NEW.segment AND k.state = 'copying') THEN
        RAISE EXCEPTION 'a copy of this recording is being made' USING ERRCODE = 'FG409', DETAIL = NEW.segment,
            HINT = 'try again: nothing may be put while it is destroyed';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION fsgov.not_while_copied IS 'Trigger: no destruction begins while keep puts a copy, which would outlive it.';
CREATE TRIGGER not_while_copied BEFORE UPDATE OF state ON fsgov.segments FOR EACH ROW
    WHEN (NEW.state = 'destroying' AND OLD.state <> 'destroying') EXECUTE FUNCTION fsgov.not_while_copied();

CREATE FUNCTION fsgov.copies_destroyed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.copies k SET state = 'gone', gone_at = now() WHERE k.segment = NEW.segment AND k.state NOT IN ('gone', 'refused');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.copies_destroyed IS 'Trigger: a segment is destroyed only when no vault lists it any more.';
CREATE TRIGGER copies_destroyed AFTER UPDATE OF state ON fsgov.segments FOR EACH ROW
    WHEN (NEW.state = 'destroyed' AND OLD.state <> 'destroyed') EXECUTE FUNCTION fsgov.copies_destroyed();

GRANT SELECT ON fsgov.copies, fsgov.replicas, fsgov.locks TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;

CREATE FUNCTION fsgov.objects_of(p_segment text) RETURNS TABLE (vault text, object_key text, what text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH stored AS (
        SELECT s.vault, s.object_key, 'audio' AS what FROM fsgov.segments s
        WHERE s.segment = p_segment AND s.object_key IS NOT NULL AND fsgov.shows(s.tenant)
        UNION
        SELECT k.vault, k.object_key, 'copy' FROM fsgov.copies k
        WHERE k.segment = p_segment AND k.state NOT IN ('gone', 'refused') AND fsgov.shows(k.tenant)
        UNION
        SELECT a.vault, a.object_key, 'artefact' FROM fsgov.artefacts a WHERE a.segment = p_segment
            AND fsgov.shows(a.tenant)
        UNION
        SELECT k.vault, a.object_key, 'artefact' FROM fsgov.copies k JOIN fsgov.artefacts a USING (segment)
        WHERE k.segment = p_segment AND k.state NOT IN ('gone', 'refused') AND fsgov.shows(k.tenant)
    )
    SELECT o.vault, o.object_key, o.what FROM stored o
    UNION
    SELECT r.vault, o.object_key, 'replica' FROM stored o JOIN fsgov.replicas r ON r.of = o.vault
    WHERE NOT EXISTS (SELECT FROM stored k WHERE k.vault = r.vault AND k.object_key = o.object_key)
$$;
COMMENT ON FUNCTION fsgov.objects_of IS
    'Every object that purge removes all versions of, with its key object (keys/<segment>) in the key bucket of the same vault.';
GRANT EXECUTE ON FUNCTION fsgov.objects_of TO fsgov_keep, fsgov_privacy, fsgov_ops, fsgov_auditor;

-- -- what was destroyed and has come back ------------------------------------------------------------------

CREATE FUNCTION fsgov.destroyed_among(p_segments text[]) RETURNS TABLE (segment text, object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH gone AS (
        SELECT s.segment, s.object_key FROM fsgov.segments s JOIN fsgov.certificates c USING (segment)
        WHERE s.segment = ANY (p_segments) AND s.state = 'destroyed')
    SELECT g.segment, g.object_key FROM gone g WHERE g.object_key IS NOT NULL
    UNION SELECT g.segment, k.object_key FROM gone g JOIN fsgov.copies k USING (segment)
    UNION SELECT g.segment, a.object_key FROM gone g JOIN fsgov.artefacts a USING (segment)
    UNION SELECT g.segment, 'keys/' || g.segment FROM gone g
$$;
COMMENT ON FUNCTION fsgov.destroyed_among IS
    'Which of these have a tombstone and its certificate, each with the keys that its objects had: audio, copies, artefacts, and keys/<segment> of the key bucket.';
GRANT EXECUTE ON FUNCTION fsgov.destroyed_among TO fsgov_keep;

CREATE FUNCTION fsgov.note_returned(p_segment text, p_vault text, p_key text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM fsgov.destroyed_among(ARRAY[p_segment]) d WHERE d.object_key = p_key) THEN
        RAISE EXCEPTION 'this is no object of a destroyed recording' USING ERRCODE = 'FG409', DETAIL = p_key,
            HINT = 'nothing is removed that its tombstone does not name';
    END IF;
    INSERT INTO fsgov.returned (segment, vault, tenant)
        SELECT s.segment, p_vault, s.tenant FROM fsgov.segments s WHERE s.segment = p_segment ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION fsgov.note_returned IS
    'This key of this vault, which its tombstone names, has something again: keep removes it. False where that is known already.';
GRANT EXECUTE ON FUNCTION fsgov.note_returned TO fsgov_keep;

CREATE FUNCTION fsgov.ask_removal(p_segment text, p_vault text, p_key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.operator('{fsgov_ops}');
BEGIN
    PERFORM fsgov.note_returned(p_segment, p_vault, p_key);
    PERFORM fsgov.enter_from_desk(person, 'difference.resolved', p_segment, '{"kind": "returned-object", "outcome": null}');
END $$;
COMMENT ON FUNCTION fsgov.ask_removal IS
    'reconcile has found it before keep has. No approval: its destruction had two persons, and the tombstone names what goes.';
GRANT EXECUTE ON FUNCTION fsgov.ask_removal TO fsgov_ops;

CREATE FUNCTION fsgov.returned_open() RETURNS TABLE (segment text, call text, vault text, versions jsonb, plan text, cause text,
    proposed_by text, approved_by text, key_sha256 text, object_keys text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT r.segment, s.call, r.vault, r.versions, e.plan, e.cause, e.proposed_by, e.approved_by, e.key_sha256,
        ARRAY(SELECT d.object_key FROM fsgov.destroyed_among(ARRAY[r.segment]) d ORDER BY 1)
    FROM fsgov.returned r JOIN fsgov.segments s USING (segment) LEFT JOIN fsgov.erased e USING (segment)
    WHERE r.removed_at IS NULL ORDER BY r.found_at, r.segment, r.vault LIMIT 500
$$;
COMMENT ON FUNCTION fsgov.returned_open IS 'What has come back and is not removed yet, with what the ledger has to say of it.';
GRANT EXECUTE ON FUNCTION fsgov.returned_open TO fsgov_keep;

CREATE FUNCTION fsgov.begin_removal(p_segment text, p_vault text, p_versions jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    about fsgov.returned;
BEGIN
    PERFORM fsgov.lock_holds(false);
    SELECT * INTO about FROM fsgov.returned r WHERE r.segment = p_segment AND r.vault = p_vault AND r.removed_at IS NULL FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM fsgov.destroyed_among(ARRAY[p_segment])) THEN
        RAISE EXCEPTION 'this is no object of a destroyed recording' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    -- not held(): that has none for what is destroyed
    IF EXISTS (SELECT FROM fsgov.holds h JOIN fsgov.segments s ON s.segment = p_segment AND h.tenant IN ('*', s.tenant)
               WHERE h.released_at IS NULL AND (h.lost
                   OR EXISTS (SELECT FROM fsgov.hold_segments o WHERE o.hold = h.id AND o.segment = p_segment)
                   OR EXISTS (SELECT FROM fsgov.hold_calls c WHERE c.hold = h.id AND c.call = s.call))) THEN
        RETURN 'held';
    END IF;
    UPDATE fsgov.returned r SET versions = coalesce(r.versions, '[]') || (
        SELECT coalesce(jsonb_agg(v), '[]') FROM jsonb_array_elements(p_versions) AS v
        WHERE NOT coalesce(r.versions, '[]') @> jsonb_build_array(v))
    WHERE r.segment = p_segment AND r.vault = p_vault AND r.removed_at IS NULL;
    RETURN CASE WHEN about.versions IS NULL THEN 'begun' ELSE 'going' END;
END $$;
COMMENT ON FUNCTION fsgov.begin_removal IS
    'These versions are noted, and may be removed now: begun the first time, then going. held: a hold is in force on the call or the recording, and whatever has come back stays until its release.';
GRANT EXECUTE ON FUNCTION fsgov.begin_removal TO fsgov_keep;

CREATE FUNCTION fsgov.end_removal(p_segment text, p_vault text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.returned r SET removed_at = now()
    WHERE r.segment = p_segment AND r.vault = p_vault AND r.removed_at IS NULL
    RETURNING coalesce(jsonb_array_length(r.versions), 0)::bigint
$$;
COMMENT ON FUNCTION fsgov.end_removal IS 'The vault lists nothing of it any more. How many versions it were.';
GRANT EXECUTE ON FUNCTION fsgov.end_removal TO fsgov_keep;


-- == Subjects ==============================================================================================

CREATE FUNCTION fsgov.subject_rights(p_tenant text) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
BEGIN
    IF NOT fsgov.in_role(session_user, 'fsgov_privacy')
       OR NOT (p_tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'requests of people are for fsgov_privacy, of that tenant; those of tenant * for the operator';
    END IF;
    RETURN person;
END $$;
COMMENT ON FUNCTION fsgov.subject_rights IS
    'Internal: the person whose login this is, who may deal with what people of this tenant ask.';

CREATE FUNCTION fsgov.nobodys(p_number text) RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT lower(p_number) IN ('anonymous', 'withheld', 'private', 'unknown', 'restricted', 'unavailable', 'blocked')
        OR p_number !~ '[1-9A-Za-z]'
$$;
COMMENT ON FUNCTION fsgov.nobodys IS
    'Internal: whether this stands where a caller has no number. Whoever shares it is not one person.';

CREATE FUNCTION fsgov.parties_of(p_tenant text, p_numbers text[], p_crm text[])
RETURNS TABLE (call text, party integer, tenant text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT found.call, found.party, found.tenant FROM (
        SELECT p.call, p.party, p.tenant FROM fsgov.parties p
        WHERE (p.e164 = ANY (p_numbers) OR p.number = ANY (p_numbers)) AND NOT fsgov.nobodys(coalesce(p.e164, p.number))
        UNION
        SELECT p.call, p.party, p.tenant FROM unnest(p_crm) AS c JOIN fsgov.parties p
            ON p.facts @? format('$.* ? (@ == %s)', to_json(c))::jsonpath
        UNION
        SELECT p.call, p.party, p.tenant FROM unnest(p_crm) AS c JOIN fsgov.parties p
            ON c ~ '^[^=]+=' AND p.facts @> jsonb_build_object(split_part(c, '=', 1), substr(c, strpos(c, '=') + 1))
        UNION
        SELECT n.call, n.party, n.tenant FROM fsgov.consents n WHERE n.evidence ->> 'row' = ANY (p_crm)
        UNION
        SELECT s.call, 0, s.tenant FROM fsgov.provenance o JOIN fsgov.segments s USING (segment)
            WHERE EXISTS (SELECT FROM unnest(p_numbers) AS n, regexp_replace(n, '[^0-9]', '', 'g') AS digits
                          WHERE length(digits) >= 6 AND position(digits IN o.found_as) > 0)
    ) AS found WHERE p_tenant = '*' OR found.tenant = p_tenant
$$;
COMMENT ON FUNCTION fsgov.parties_of IS
    'Internal: who, in which calls, has one of these numbers, or is what the CRM calls so. Party 0: only the name of a file that was adopted says so.';

CREATE FUNCTION fsgov.records_of(p_tenant text, p_numbers text[], p_crm text[])
RETURNS TABLE (call text, party integer, segment text, tenant text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH them AS MATERIALIZED (SELECT * FROM fsgov.parties_of(p_tenant, p_numbers, p_crm))
    SELECT them.call, them.party, '', them.tenant FROM them
    UNION ALL
    SELECT them.call, them.party, s.segment, s.tenant FROM them JOIN fsgov.segments s ON s.call = them.call
    WHERE CASE them.party WHEN 0 THEN EXISTS (SELECT FROM fsgov.provenance o WHERE o.segment = s.segment)
                          ELSE s.parties = '{}' OR them.party = ANY (s.parties) END
$$;
COMMENT ON FUNCTION fsgov.records_of IS
    'Internal: the records of a person: of each call the rows that name them (segment empty), and the recordings in which they can be heard, or in which nobody noted who can.';

CREATE FUNCTION fsgov.find_subject(p_tenant text, p_numbers text[], p_crm text[])
RETURNS TABLE (call text, party integer, segment text, tenant text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT r.* FROM fsgov.records_of(p_tenant, p_numbers, p_crm) AS r
    WHERE r.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())
$$;
COMMENT ON FUNCTION fsgov.find_subject IS 'What there is of a person, in the tenants of whoever asks.';
GRANT EXECUTE ON FUNCTION fsgov.find_subject TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.open_subject_request(p_tenant text, p_kind text, p_numbers text[], p_crm text[],
    p_reference text, p_received timestamptz, p_due timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person   text := fsgov.subject_rights(p_tenant);
    request  text := fsgov.random_id('r-');
    received timestamptz := coalesce(p_received, now());
    due      timestamptz := coalesce(p_due, received + interval '1 month');
BEGIN
    IF coalesce(p_kind, '') NOT IN ('export', 'erase') THEN
        RAISE EXCEPTION 'people ask for an export or an erasure' USING ERRCODE = 'FG422', DETAIL = coalesce(p_kind, '');
    END IF;
    IF NOT EXISTS (SELECT FROM unnest(p_numbers || p_crm) AS n WHERE n <> '')
       OR EXISTS (SELECT FROM unnest(p_numbers || p_crm) AS n WHERE coalesce(n, '') = '') THEN
        RAISE EXCEPTION 'a request is of somebody' USING ERRCODE = 'FG422', HINT = 'a number, or what the CRM calls them';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_numbers) AS n WHERE fsgov.nobodys(n)) THEN
        RAISE EXCEPTION 'this is nobody''s number' USING ERRCODE = 'FG422',
            DETAIL = (SELECT string_agg(n, ', ') FROM unnest(p_numbers) AS n WHERE fsgov.nobodys(n)),
            HINT = 'a number, or what the CRM calls them: who calls without a number is told apart by nothing';
    END IF;
    IF received > now() OR due <= received THEN
        RAISE EXCEPTION 'a request is due after it came, and came before now' USING ERRCODE = 'FG422',
            DETAIL = format('came %s, due %s', received, due);
    END IF;
    INSERT INTO fsgov.subject_requests (id, tenant, kind, numbers, crm, reference, received_at, due_at, opened_by)
        VALUES (request, p_tenant, p_kind, coalesce(p_numbers, '{}'), coalesce(p_crm, '{}'), coalesce(p_reference, ''), received, due, person);
    PERFORM fsgov.enter_from_desk(person, 'subject.opened', request,
        jsonb_build_object('kind', p_kind, 'tenant', p_tenant, 'due', to_char(due AT TIME ZONE 'UTC', 'YYYY-MM-DD')));
    RETURN request;
END $$;
COMMENT ON FUNCTION fsgov.open_subject_request IS
    'Somebody asks for an export or an erasure; the answer is the id of the request. p_due null: in a month.';
GRANT EXECUTE ON FUNCTION fsgov.open_subject_request TO fsgov_privacy;

CREATE FUNCTION fsgov.subject_request(p_request text) RETURNS fsgov.subject_requests
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    asked fsgov.subject_requests;
BEGIN
    SELECT * INTO asked FROM fsgov.subject_requests q WHERE q.id = p_request
        AND (q.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such request' USING ERRCODE = 'FG404', DETAIL = p_request, HINT = 'fsgov subject list';
    END IF;
    RETURN asked;
END $$;
COMMENT ON FUNCTION fsgov.subject_request IS 'Internal: a request of a tenant of this login, locked until the end of the transaction.';

CREATE FUNCTION fsgov.approve_erasure(p_request text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    asked  fsgov.subject_requests := fsgov.subject_request(p_request);
    person text := fsgov.subject_rights(asked.tenant);
BEGIN
    IF asked.kind <> 'erase' OR asked.state <> 'open' AND NOT (asked.state = 'approved' AND EXISTS (
            SELECT FROM fsgov.plans p WHERE p.kind = 'erasure' AND p.reason = p_request AND p.state = 'stopped'
                AND p.proposed_at >= asked.approved_at)) THEN
        RAISE EXCEPTION 'this request does not wait for approval' USING ERRCODE = 'FG409',
            DETAIL = format('%s: %s, %s', p_request, asked.kind, asked.state);
    END IF;
    IF asked.opened_by = person THEN
        RAISE EXCEPTION 'nobody approves an erasure that they have opened' USING ERRCODE = 'FG403', DETAIL = p_request,
            HINT = 'it takes another login: two persons';
    END IF;
    UPDATE fsgov.subject_requests q SET state = 'approved', approved_by = person, approved_at = now() WHERE q.id = p_request;
    PERFORM fsgov.enter_from_desk(person, 'subject.approved', p_request, jsonb_build_object('opened_by', asked.opened_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_erasure IS
    'What this request asks to have erased is erased by keep, as soon as nothing demands that it is kept; never by the login that opened it. Once more where its plan was stopped.';
GRANT EXECUTE ON FUNCTION fsgov.approve_erasure TO fsgov_privacy;

CREATE FUNCTION fsgov.answer_subject_request(p_request text, p_refused boolean, p_until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    asked  fsgov.subject_requests := fsgov.subject_request(p_request);
    person text := fsgov.subject_rights(asked.tenant);
BEGIN
    IF asked.answered_at IS NOT NULL OR p_refused AND asked.state NOT IN ('open', 'lost')
       OR NOT p_refused AND p_until IS NULL AND asked.state IN ('open', 'lost') THEN
        RAISE EXCEPTION 'this request cannot be answered so' USING ERRCODE = 'FG409', DETAIL = format('%s: %s', p_request, asked.state),
            HINT = 'what is open is carried out, refused, or put off once; what was answered stays so';
    END IF;
    IF p_until IS NOT NULL AND (p_refused OR p_until <= asked.due_at OR p_until > asked.received_at + interval '3 months') THEN
        RAISE EXCEPTION 'a request is put off by two months at most' USING ERRCODE = 'FG422',
            DETAIL = format('due %s, not after %s', asked.due_at, asked.received_at + interval '3 months');
    END IF;
    UPDATE fsgov.subject_requests q SET state = CASE WHEN p_refused THEN 'refused' ELSE q.state END,
        due_at = coalesce(p_until, q.due_at),
        answered_by = CASE WHEN p_until IS NULL THEN person END, answered_at = CASE WHEN p_until IS NULL THEN now() END,
        done_at = CASE WHEN p_refused THEN now() ELSE q.done_at END
    WHERE q.id = p_request;
    PERFORM fsgov.enter_from_desk(person, 'subject.answered', p_request, jsonb_build_object('answer',
        CASE WHEN p_refused THEN 'refused' WHEN p_until IS NOT NULL THEN 'put-off' ELSE 'told' END));
END $$;
COMMENT ON FUNCTION fsgov.answer_subject_request IS
    'The person was told: what became of each record, that it is refused (p_refused), or that it takes longer (p_until).';
GRANT EXECUTE ON FUNCTION fsgov.answer_subject_request TO fsgov_privacy;

CREATE FUNCTION fsgov.is_asked_for(p_segment text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.subject_requests q,
        LATERAL fsgov.records_of(q.tenant, q.numbers, q.crm) AS r
        WHERE q.kind = 'export' AND q.state = 'open' AND r.segment = p_segment)
$$;
COMMENT ON FUNCTION fsgov.is_asked_for IS 'Internal: is an export open of somebody who can be heard in this recording?';

CREATE FUNCTION fsgov.subject_exported(p_request text, p_recipient text, p_records jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    asked  fsgov.subject_requests := fsgov.subject_request(p_request);
    actor  text := fsgov.subject_rights(asked.tenant);
BEGIN
    IF asked.kind <> 'export' OR asked.state <> 'open' THEN
        RAISE EXCEPTION 'this request is no open export' USING ERRCODE = 'FG409',
            DETAIL = format('%s: %s, %s', p_request, asked.kind, asked.state);
    END IF;
    IF coalesce(p_recipient, '') = '' THEN
        RAISE EXCEPTION 'an export has a recipient' USING ERRCODE = 'FG422', DETAIL = p_request;
    END IF;
    INSERT INTO fsgov.subject_records (request, call, party, segment, tenant, verdict, reasons)
    SELECT p_request, r.call, r.party, r.segment, r.tenant,
        CASE WHEN coalesce(n.given, r.segment = '') THEN 'given' ELSE 'withheld' END, coalesce(n.reasons, '{}')
    FROM fsgov.records_of(asked.tenant, asked.numbers, asked.crm) AS r
    LEFT JOIN (SELECT e ->> 'segment' AS segment, (e -> 'given')::boolean AS given, fsgov.texts(e -> 'reasons') AS reasons
               FROM jsonb_array_elements(p_records) AS e) AS n ON n.segment = r.segment;
    IF EXISTS (SELECT FROM fsgov.subject_records r WHERE r.request = p_request AND r.verdict = 'given' AND r.segment <> ''
               AND NOT EXISTS (SELECT FROM fsgov.accesses a WHERE a.segment = r.segment AND a.person = actor
                               AND a.purpose = 'subject_request' AND a.released_at >= asked.opened_at)) THEN
        RAISE EXCEPTION 'a recording was given out without an access' USING ERRCODE = 'FG409', DETAIL = p_request;
    END IF;
    UPDATE fsgov.subject_requests q SET state = 'done', recipient = p_recipient, answered_by = actor,
        answered_at = now(), done_at = now() WHERE q.id = p_request;
    PERFORM fsgov.enter_from_desk(actor, 'subject.exported', p_request, (SELECT jsonb_build_object(
        'given', count(*) FILTER (WHERE r.verdict = 'given' AND r.segment <> ''),
        'withheld', count(*) FILTER (WHERE r.verdict = 'withheld')) FROM fsgov.subject_records r WHERE r.request = p_request));
END $$;
COMMENT ON FUNCTION fsgov.subject_exported IS
    'The export of this request is made, for this recipient: which recordings it holds, and why others are withheld.';
GRANT EXECUTE ON FUNCTION fsgov.subject_exported TO fsgov_privacy;

-- -- keep carries erasures out ---------------------------------------------------------------------------

CREATE FUNCTION fsgov.erasures() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT q.id FROM fsgov.subject_requests q
    WHERE q.kind = 'erase' AND (q.state = 'approved' OR q.state = 'done' AND q.forgotten_at IS NULL) ORDER BY q.approved_at, q.id
$$;
COMMENT ON FUNCTION fsgov.erasures IS 'Requests that something may have to be erased for: also what was done, as long as a call may be entered late.';
GRANT EXECUTE ON FUNCTION fsgov.erasures TO fsgov_keep;

CREATE FUNCTION fsgov.found_records(p_request text)
RETURNS TABLE (call text, party integer, segment text, state text, verdict text, promised boolean,
    planned text, again_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
#variable_conflict use_column
DECLARE
    asked fsgov.subject_requests;
BEGIN
    SELECT * INTO asked FROM fsgov.subject_requests q
        WHERE q.id = p_request AND q.kind = 'erase' AND q.state IN ('approved', 'done') FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this erasure is not approved' USING ERRCODE = 'FG409', DETAIL = p_request;
    END IF;
    INSERT INTO fsgov.subject_records AS r (request, call, party, segment, tenant, verdict)
    SELECT p_request, n.call, n.party, n.segment, n.tenant, 'due'
    FROM fsgov.records_of(asked.tenant, asked.numbers, asked.crm) AS n ON CONFLICT DO NOTHING;
    -- what the ledger promised, where a restore has lost whom it is about
    INSERT INTO fsgov.subject_records AS r (request, call, party, segment, tenant, verdict)
    SELECT p_request, w.call, w.party, s.segment, s.tenant, 'due'
    FROM fsgov.subject_records w JOIN fsgov.segments s ON s.call = w.call AND (s.parties = '{}' OR w.party = ANY (s.parties))
    WHERE w.request = p_request AND w.segment = '' AND w.party > 0 AND asked.numbers = '{}' AND asked.crm = '{}' ON CONFLICT DO NOTHING;
    IF asked.state = 'done' AND EXISTS (SELECT FROM fsgov.subject_records r
            WHERE r.request = p_request AND r.verdict NOT IN ('erased', 'gone')) THEN
        UPDATE fsgov.subject_requests q SET state = 'approved', done_at = NULL WHERE q.id = p_request;
    END IF;
    RETURN QUERY SELECT r.call, r.party, r.segment, coalesce(s.state, ''), r.verdict, r.promised_at IS NOT NULL,
            coalesce(i.state, ''), i.again_at
        FROM fsgov.subject_records r LEFT JOIN fsgov.segments s ON s.segment = r.segment
        LEFT JOIN LATERAL (
            SELECT CASE WHEN p.state = 'stopped' AND i.state NOT IN ('destroying', 'destroyed') THEN 'stopped'
                        WHEN p.state IN ('approved', 'applying') AND p.expires_at <= now() THEN '' ELSE i.state END AS state, i.again_at
            FROM fsgov.plans p JOIN fsgov.plan_items i ON i.plan = p.id AND i.segment = r.segment
            WHERE p.kind = 'erasure' AND p.reason = p_request AND p.proposed_at >= asked.approved_at
            ORDER BY p.proposed_at DESC LIMIT 1) AS i ON true
        WHERE r.request = p_request AND r.verdict NOT IN ('erased', 'gone') ORDER BY r.call, r.party, r.segment DESC;
END $$;
COMMENT ON FUNCTION fsgov.found_records IS
    'What is left of an approved erasure, record by record, with what was entered since: state of the recording (empty: no row of it), and of its item in the plan of this erasure (planned; empty: none that can be carried out; stopped: by somebody, or by keep).';
GRANT EXECUTE ON FUNCTION fsgov.found_records TO fsgov_keep;

CREATE FUNCTION fsgov.promised_records(p_request text, p_calls text[], p_parties integer[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.subject_records r SET promised_at = now() FROM unnest(p_calls, p_parties) AS p(call, party)
    WHERE r.request = p_request AND r.call = p.call AND r.party = p.party AND r.segment = '' AND r.promised_at IS NULL
$$;
COMMENT ON FUNCTION fsgov.promised_records IS 'The ledger has these: whatever happens to the database, they are not forgotten.';
GRANT EXECUTE ON FUNCTION fsgov.promised_records TO fsgov_keep;

CREATE FUNCTION fsgov.note_records(p_request text, p_records jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    SELECT e ->> 'segment' INTO wrong FROM jsonb_array_elements(p_records) AS e WHERE e ->> 'segment' <> ''
        AND e ->> 'verdict' IN ('erased', 'gone') AND (
            EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = e ->> 'segment' AND s.state NOT IN ('missing', 'destroyed'))
            OR EXISTS (SELECT FROM fsgov.segment_keys k WHERE k.segment = e ->> 'segment')) LIMIT 1;
    IF wrong IS NULL THEN
        SELECT e ->> 'call' INTO wrong FROM jsonb_array_elements(p_records) AS e WHERE e ->> 'segment' = ''
            AND e ->> 'verdict' IN ('erased', 'gone') AND NOT EXISTS (SELECT FROM fsgov.forgotten f
                WHERE f.call = e ->> 'call' AND f.party = (e ->> 'party')::integer) LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'this record is there' USING ERRCODE = 'FG409', DETAIL = wrong;
    END IF;
    UPDATE fsgov.subject_records r SET verdict = n.verdict, reasons = n.reasons, until = n.until, noted_at = now()
    FROM (SELECT e ->> 'call' AS call, (e ->> 'party')::integer AS party, e ->> 'segment' AS segment, e ->> 'verdict' AS verdict,
                 fsgov.texts(e -> 'reasons') AS reasons, fsgov.instant(e ->> 'until') AS until
          FROM jsonb_array_elements(p_records) AS e) AS n
    WHERE r.request = p_request AND r.call = n.call AND r.party = n.party AND r.segment = n.segment
        AND (r.verdict, r.reasons, r.until) IS DISTINCT FROM (n.verdict, n.reasons, n.until);
END $$;
COMMENT ON FUNCTION fsgov.note_records IS 'What was found of these records of an erasure. What is there is never noted as erased.';
GRANT EXECUTE ON FUNCTION fsgov.note_records TO fsgov_keep;

CREATE FUNCTION fsgov.plan_erasure(p_request text, p_segments text[], OUT plan text, OUT sha256 text, OUT items bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    asked fsgov.subject_requests;
BEGIN
    SELECT * INTO asked FROM fsgov.subject_requests q WHERE q.id = p_request AND q.kind = 'erase' AND q.state = 'approved' FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM unnest(p_segments) AS u WHERE NOT EXISTS (
            SELECT FROM fsgov.subject_records r WHERE r.request = p_request AND r.segment = u AND r.verdict = 'due')) THEN
        RAISE EXCEPTION 'nobody has approved that this is erased' USING ERRCODE = 'FG409', DETAIL = p_request;
    END IF;
    plan := fsgov.random_id('pl-');
    INSERT INTO fsgov.plans (id, tenant, kind, reason, state, most, proposed_by, approved_by, approved_at, expires_at)
        VALUES (plan, asked.tenant, 'erasure', p_request, 'draft', cardinality(p_segments), asked.opened_by,
            asked.approved_by, now(), date_trunc('second', now() + interval '30 days'));
    INSERT INTO fsgov.plan_items (plan, segment, tenant, cause, size)
    SELECT plan_erasure.plan, s.segment, s.tenant, 'erasure', s.sealed_size FROM unnest(p_segments) AS u JOIN fsgov.segments s ON s.segment = u
    WHERE s.state IN ('stored', 'quarantined');
    GET DIAGNOSTICS items = ROW_COUNT;
    sha256 := fsgov.plan_digest(plan);
    UPDATE fsgov.plans p SET state = 'approved', items = plan_erasure.items, sha256 = plan_erasure.sha256, causes = jsonb_build_object('erasure', plan_erasure.items),
        size = (SELECT coalesce(sum(i.size), 0) FROM fsgov.plan_items i WHERE i.plan = p.id) WHERE p.id = plan_erasure.plan;
END $$;
COMMENT ON FUNCTION fsgov.plan_erasure IS
    'A plan that destroys these recordings of an approved erasure: proposed by who opened it, approved by who approved it.';
GRANT EXECUTE ON FUNCTION fsgov.plan_erasure TO fsgov_keep;

CREATE FUNCTION fsgov.unname(p_call text, p_party integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.parties p SET number = NULL, e164 = NULL, facts = NULL WHERE p.call = p_call AND p.party = p_party;
    UPDATE fsgov.consents n SET evidence = NULL WHERE n.call = p_call AND n.party = p_party;
    IF p_party > 0 THEN
        UPDATE fsgov.calls c SET inputs = NULL, inputs_salt = NULL WHERE c.call = p_call;
        DELETE FROM fsgov.tags t WHERE t.call = p_call;
    END IF;
    UPDATE fsgov.accesses a SET reason = '' FROM fsgov.segments s WHERE s.call = p_call AND a.segment = s.segment;
    UPDATE fsgov.provenance o SET found_as = '' FROM fsgov.segments s WHERE s.call = p_call AND o.segment = s.segment;
    UPDATE fsgov.artefacts a SET asked_why = '' FROM fsgov.segments s WHERE s.call = p_call AND a.segment = s.segment;
END $$;
COMMENT ON FUNCTION fsgov.unname IS
    'Internal: nothing in the rows of this call says any more who this party is: number, facts, evidence, the inputs of the decision, and free text of people (tags, reasons of accesses and removals, names of files).';

CREATE FUNCTION fsgov.needed_by(p_request text, p_call text, p_party integer) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(array_agg(DISTINCT why ORDER BY why), '{}') FROM (
        SELECT c.call FROM fsgov.calls c WHERE c.call = p_call AND c.outcome IS NULL
        UNION ALL
        SELECT s.segment FROM fsgov.segments s WHERE s.call = p_call AND s.state NOT IN ('missing', 'destroyed')
            AND (s.parties = '{}' OR p_party = ANY (s.parties) OR p_party = 0)
        UNION ALL
        SELECT q.id FROM fsgov.subject_requests q, LATERAL fsgov.parties_of(q.tenant, q.numbers, q.crm) AS w
        WHERE q.id <> p_request AND q.kind = 'export' AND q.state = 'open' AND w.call = p_call AND w.party = p_party
        UNION ALL
        SELECT unnest(fsgov.held_call(p_call))
        UNION ALL
        SELECT r.id FROM fsgov.restores r WHERE r.resumed_at IS NULL) AS found(why));
END $$;
COMMENT ON FUNCTION fsgov.needed_by IS
    'Internal: who still needs the rows that name this party: the call (it goes on), recordings in which they can be heard, open exports of theirs, holds; and a restore whose lost acts (holds, perhaps) nobody has looked at.';

CREATE FUNCTION fsgov.unname_party(p_request text, p_call text, p_party integer, OUT needs text[], OUT new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    whose text;
BEGIN
    PERFORM fsgov.lock_holds(false);  -- no hold is placed until this is committed
    SELECT r.tenant INTO whose FROM fsgov.subject_records r JOIN fsgov.subject_requests q ON q.id = r.request
        WHERE r.request = p_request AND r.call = p_call AND r.party = p_party AND r.segment = ''
            AND r.promised_at IS NOT NULL AND q.kind = 'erase' AND q.state = 'approved' FOR UPDATE;
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody has approved that this is erased' USING ERRCODE = 'FG409', DETAIL = p_request || ' ' || p_call;
    END IF;
    needs := fsgov.needed_by(p_request, p_call, p_party);
    new := false;
    IF needs = '{}' THEN
        PERFORM fsgov.unname(p_call, p_party);
        INSERT INTO fsgov.forgotten (call, party, tenant) VALUES (p_call, p_party, whose) ON CONFLICT DO NOTHING;
        new := FOUND;
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.unname_party IS
    'Nulls what names the person in a call, where nothing needs it any more (needs: who does); new: for the first time. Holds are looked at under their lock.';
GRANT EXECUTE ON FUNCTION fsgov.unname_party TO fsgov_keep;

CREATE FUNCTION fsgov.erasure_done(p_request text) RETURNS TABLE (recordings bigint, calls bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.subject_requests q SET state = 'done', done_at = now() WHERE q.id = p_request AND q.state = 'approved'
        AND NOT EXISTS (SELECT FROM fsgov.subject_records r WHERE r.request = p_request AND r.verdict NOT IN ('erased', 'gone'));
    IF FOUND THEN
        RETURN QUERY SELECT count(*) FILTER (WHERE r.segment <> '' AND r.verdict = 'erased'), count(*) FILTER (WHERE r.segment = '')
            FROM fsgov.subject_records r WHERE r.request = p_request;
    END IF;
END $$;
COMMENT ON FUNCTION fsgov.erasure_done IS
    'Nothing is left of this erasure: it is done, and the answer is of how much. No row: something waits, or it was done before.';
GRANT EXECUTE ON FUNCTION fsgov.erasure_done TO fsgov_keep;

CREATE FUNCTION fsgov.forget_subjects(p_before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    ended fsgov.subject_requests;
    many  bigint := 0;
BEGIN
    FOR ended IN SELECT * FROM fsgov.subject_requests q
            WHERE q.state IN ('done', 'refused') AND q.forgotten_at IS NULL AND q.done_at < p_before FOR UPDATE LOOP
        UPDATE fsgov.subject_requests q SET numbers = '{}', crm = '{}', forgotten_at = now() WHERE q.id = ended.id;
        UPDATE fsgov.stops s SET number = NULL WHERE ended.kind = 'erase' AND ended.state = 'done'
            AND s.number = ANY (ended.numbers) AND s.lifted_at IS NOT NULL;
        many := many + 1;
    END LOOP;
    RETURN many;
END $$;
COMMENT ON FUNCTION fsgov.forget_subjects IS
    'Requests that ended before then no more say whom they were about; nor do stops of them that were lifted. How many.';
GRANT EXECUTE ON FUNCTION fsgov.forget_subjects TO fsgov_keep;

CREATE FUNCTION fsgov.subjects_due(p_soon timestamptz, OUT soon bigint, OUT overdue bigint, OUT deferred bigint, OUT lost bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT count(*) FILTER (WHERE q.answered_at IS NULL AND q.due_at < p_soon AND q.due_at >= now()),
        count(*) FILTER (WHERE q.answered_at IS NULL AND q.due_at < now()),
        count(*) FILTER (WHERE q.state = 'approved'),
        count(*) FILTER (WHERE q.state = 'lost')
    FROM fsgov.subject_requests q WHERE q.state IN ('open', 'approved', 'lost')
$$;
COMMENT ON FUNCTION fsgov.subjects_due IS
    'For keep: requests that nobody has answered, due before p_soon, or late; erasures of which something waits; requests that a restore lost.';
GRANT EXECUTE ON FUNCTION fsgov.subjects_due TO fsgov_keep;


-- == Artefacts =============================================================================================

GRANT SELECT ON fsgov.artefacts TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;
GRANT SELECT (artefact, segment, tenant, state, kind, media_type, purpose, made_by, size, sha256, sealed_size, sealed_sha256,
    vault, object_key, version_id, attached_by, attached_at, stored_at, asked_by, approved_by, removed_at)
    ON fsgov.artefacts TO fsgov_ops, fsgov_integrator;
GRANT SELECT ON fsgov.bundles TO fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.attach(p_segment text, p_kind text, p_media_type text, p_purpose text, p_made_by text,
    p_size bigint, p_sha256 text, p_sealed bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    made   text := fsgov.random_id('d-');
    about  fsgov.segments;
    known  text;
BEGIN
    IF NOT (fsgov.in_role(session_user, 'fsgov_supervisor') OR fsgov.in_role(session_user, 'fsgov_privacy')
            OR fsgov.in_role(session_user, 'fsgov_integrator')) THEN
        RAISE EXCEPTION 'this act is not for this login' USING ERRCODE = 'FG403', DETAIL = session_user,
            HINT = 'artefacts are attached by fsgov_integrator, fsgov_supervisor and fsgov_privacy';
    END IF;
    -- with a lock: nothing is attached to a recording while purge sets it to be destroyed
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = p_segment
        AND (s.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants())) FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such segment' USING ERRCODE = 'FG404', DETAIL = p_segment;
    END IF;
    IF about.state <> 'stored' OR about.dispose THEN
        RAISE EXCEPTION 'nothing is attached to this recording' USING ERRCODE = 'FG409',
            DETAIL = p_segment || ' is ' || CASE WHEN about.dispose THEN 'to be destroyed' ELSE about.state END;
    END IF;
    IF p_purpose IS NULL OR NOT (p_purpose = ANY (about.purposes)) THEN
        RAISE EXCEPTION 'this recording does not serve that purpose' USING ERRCODE = 'FG403',
            DETAIL = p_segment, HINT = 'purposes: ' || array_to_string(about.purposes, ', ');
    END IF;
    IF NOT p_purpose = ANY (fsgov.live_purposes(p_segment)) THEN
        RAISE EXCEPTION 'the time of this purpose is over' USING ERRCODE = 'FG403', DETAIL = p_segment || ', ' || p_purpose;
    END IF;
    IF about.basis ->> p_purpose = 'consent' AND EXISTS (SELECT FROM fsgov.consents n WHERE n.call = about.call
            AND n.purpose = p_purpose AND n.state IN ('refused', 'withdrawn')) THEN
        RAISE EXCEPTION 'a party has taken its consent to that purpose back' USING ERRCODE = 'FG403',
            DETAIL = p_segment || ', ' || p_purpose, HINT = 'fsgov calls show ' || about.call;
    END IF;
    IF substring(p_sealed FROM 1 FOR 22) IS DISTINCT FROM 'age-encryption.org/v1\012'::bytea
       OR length(p_sealed) > 33554432 THEN
        RAISE EXCEPTION 'an artefact comes sealed, and has at most 32 MiB' USING ERRCODE = 'FG422', DETAIL = p_segment;
    END IF;
    SELECT a.artefact INTO known FROM fsgov.artefacts a WHERE a.segment = p_segment AND a.kind = p_kind
        AND a.purpose = p_purpose AND a.sha256 = p_sha256;
    IF FOUND THEN
        RETURN known;
    END IF;
    INSERT INTO fsgov.artefacts (artefact, segment, tenant, state, kind, media_type, purpose, made_by, size, sha256,
        sealed_size, sealed_sha256, vault, object_key, attached_by)
    VALUES (made, p_segment, about.tenant, 'waiting', p_kind, p_media_type, p_purpose, coalesce(p_made_by, ''), p_size,
        p_sha256, length(p_sealed), encode(sha256(p_sealed), 'hex'), about.vault,
        regexp_replace(about.object_key, '[.]age$', '') || '/' || made || '.age', person);
    INSERT INTO fsgov.artefact_bytes (artefact, tenant, sealed) VALUES (made, about.tenant, p_sealed);
    PERFORM fsgov.enter_from_desk(person, 'artefact.attached', made, jsonb_build_object('call', about.call,
        'segment', p_segment, 'kind', p_kind, 'purpose', p_purpose, 'size', length(p_sealed),
        'sha256', encode(sha256(p_sealed), 'hex')));
    RETURN made;
END $$;
COMMENT ON FUNCTION fsgov.attach IS
    'What was made of a stored recording, for one of its purposes, sealed to its key; the answer is the id. The same bytes again, for the same kind and purpose, are the same artefact.';
GRANT EXECUTE ON FUNCTION fsgov.attach TO fsgov_supervisor, fsgov_privacy, fsgov_integrator;

CREATE FUNCTION fsgov.request_artefact(p_artefact text, p_purpose text, p_reason text, p_recipient text DEFAULT '',
    p_complaint text DEFAULT '') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    about  fsgov.artefacts;
    access text;
BEGIN
    SELECT * INTO about FROM fsgov.artefacts a WHERE a.artefact = p_artefact
        AND (a.tenant IN (SELECT fsgov.my_tenants()) OR '*' IN (SELECT fsgov.my_tenants()));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such artefact' USING ERRCODE = 'FG404', DETAIL = p_artefact;
    END IF;
    access := fsgov.request_access(about.segment, p_purpose, p_reason, p_recipient, p_complaint);
    IF p_purpose NOT IN (about.purpose, 'review', 'audit', 'complaint', 'subject_request') THEN
        RAISE EXCEPTION 'this artefact does not serve that purpose' USING ERRCODE = 'FG403',
            DETAIL = p_artefact, HINT = 'it was made for ' || about.purpose;
    END IF;
    IF about.state <> 'stored' THEN
        RAISE EXCEPTION 'this artefact is not in the vault' USING ERRCODE = 'FG409',
            DETAIL = p_artefact || ' is ' || about.state;
    END IF;
    PERFORM fsgov.enter_from_desk(person, 'artefact.requested', p_artefact, jsonb_build_object(
        'call', regexp_replace(about.segment, '-[0-9]{2,}$', ''), 'segment', about.segment, 'access', access,
        'purpose', p_purpose));
    RETURN access;
END $$;
COMMENT ON FUNCTION fsgov.request_artefact IS
    'Asks for one artefact: an access to its recording, under the same conditions, and only for what it was made for (or review, audit, complaint, subject_request). Commit, then release_key.';
GRANT EXECUTE ON FUNCTION fsgov.request_artefact TO fsgov_supervisor, fsgov_privacy, fsgov_auditor;

CREATE FUNCTION fsgov.take_artefact(p_vault text, OUT artefact text, OUT segment text, OUT object_key text,
    OUT sealed bytea, OUT lock_mode text, OUT locked_until timestamptz)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT a.artefact, a.segment, a.object_key, b.sealed, l.mode, l.until
    FROM fsgov.artefacts a JOIN fsgov.segments s USING (segment) JOIN fsgov.artefact_bytes b USING (artefact)
    LEFT JOIN fsgov.locks l ON l.segment = a.segment AND l.artefact = '' AND l.vault = a.vault AND l.until > now()
        AND s.state = 'stored' AND NOT s.dispose
    WHERE a.state = 'waiting' AND a.vault = p_vault AND s.state IN ('stored', 'quarantined')
    ORDER BY a.attached_at LIMIT 1 FOR UPDATE OF a SKIP LOCKED FOR SHARE OF s SKIP LOCKED
$$;
COMMENT ON FUNCTION fsgov.take_artefact IS
    'For ship: an artefact that waits for this vault, and the lock that its recording has there (null: none, or it is to stay destroyable). Until the transaction ends no other ship takes it, and purge does not begin with its segment.';
GRANT EXECUTE ON FUNCTION fsgov.take_artefact TO fsgov_ship;

CREATE FUNCTION fsgov.artefact_stored(p_artefact text, p_version text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.artefacts a SET state = 'stored', version_id = p_version, stored_at = now()
    WHERE a.artefact = p_artefact AND a.state = 'waiting';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this artefact does not wait' USING ERRCODE = 'FG409', DETAIL = p_artefact;
    END IF;
    DELETE FROM fsgov.artefact_bytes b WHERE b.artefact = p_artefact;
END $$;
COMMENT ON FUNCTION fsgov.artefact_stored IS 'The vault has it, as this version, and has confirmed its digest.';
GRANT EXECUTE ON FUNCTION fsgov.artefact_stored TO fsgov_ship;

CREATE FUNCTION fsgov.artefacts_end() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    DELETE FROM fsgov.artefact_bytes b USING fsgov.artefacts a WHERE a.segment = NEW.segment AND b.artefact = a.artefact;
    UPDATE fsgov.artefacts a SET state = 'destroyed', sha256 = NULL, made_by = ''
    WHERE a.segment = NEW.segment AND a.state <> 'destroyed';
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.artefacts_end IS
    'Trigger: what was made of a recording goes with it, in the transaction that begins to destroy it. Its object is removed as those of the segment are (objects_of).';
CREATE TRIGGER artefacts_go AFTER UPDATE OF state ON fsgov.segments FOR EACH ROW
    WHEN (NEW.state IN ('destroying', 'destroyed')) EXECUTE FUNCTION fsgov.artefacts_end();

CREATE FUNCTION fsgov.ask_detach(p_artefact text, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.me();
    about  fsgov.artefacts;
BEGIN
    SELECT * INTO about FROM fsgov.artefacts a WHERE a.artefact = p_artefact AND fsgov.mine(a.tenant) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such artefact' USING ERRCODE = 'FG404', DETAIL = p_artefact;
    END IF;
    IF about.state NOT IN ('waiting', 'stored') THEN
        RAISE EXCEPTION 'this artefact is not there any more' USING ERRCODE = 'FG409', DETAIL = p_artefact || ' is ' || about.state;
    END IF;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'a removal has a reason' USING ERRCODE = 'FG422', DETAIL = p_artefact;
    END IF;
    UPDATE fsgov.artefacts a SET asked_by = person, asked_why = p_reason WHERE a.artefact = p_artefact;
    PERFORM fsgov.enter_from_desk(person, 'artefact.removal.asked', p_artefact, jsonb_build_object(
        'call', regexp_replace(about.segment, '-[0-9]{2,}$', ''), 'segment', about.segment));
END $$;
COMMENT ON FUNCTION fsgov.ask_detach IS
    'The first of two logins that remove an artefact and leave its recording. Nothing is removed until another approves.';
GRANT EXECUTE ON FUNCTION fsgov.ask_detach TO fsgov_supervisor, fsgov_privacy;

CREATE FUNCTION fsgov.approve_detach(p_artefact text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person  text := fsgov.me();
    about   fsgov.artefacts;
    holding text[];
BEGIN
    PERFORM fsgov.lock_holds(false);  -- from here on no hold comes into force before this is committed
    -- the recording first, as whoever copies, moves or destroys it does
    PERFORM FROM fsgov.segments s JOIN fsgov.artefacts a USING (segment)
        WHERE a.artefact = p_artefact AND fsgov.mine(a.tenant) FOR UPDATE OF s;
    SELECT * INTO about FROM fsgov.artefacts a WHERE a.artefact = p_artefact AND fsgov.mine(a.tenant) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such artefact' USING ERRCODE = 'FG404', DETAIL = p_artefact;
    END IF;
    IF about.state NOT IN ('waiting', 'stored') OR about.asked_by IS NULL THEN
        RAISE EXCEPTION 'nobody has asked for its removal' USING ERRCODE = 'FG409', DETAIL = p_artefact || ' is ' || about.state;
    END IF;
    IF person = about.asked_by THEN
        RAISE EXCEPTION 'nobody approves what they have asked for' USING ERRCODE = 'FG403', DETAIL = p_artefact,
            HINT = 'it takes another login: two persons';
    END IF;
    holding := fsgov.held(about.segment);
    IF holding <> '{}' THEN
        RAISE EXCEPTION 'its recording is under a hold' USING ERRCODE = 'FG409',
            DETAIL = p_artefact || ': ' || array_to_string(holding, ' '), HINT = 'fsgov hold list';
    END IF;
    IF EXISTS (SELECT FROM fsgov.copies k WHERE k.segment = about.segment AND k.state IN ('asked', 'copying', 'tried')) THEN
        RAISE EXCEPTION 'a copy of its recording is being made' USING ERRCODE = 'FG409', DETAIL = about.segment,
            HINT = 'try again when it is done: fsgov recordings copies';
    END IF;
    DELETE FROM fsgov.artefact_bytes b WHERE b.artefact = p_artefact;
    UPDATE fsgov.artefacts a SET state = 'removing', approved_by = person, sha256 = NULL, made_by = ''
        WHERE a.artefact = p_artefact;
    PERFORM fsgov.enter_from_desk(person, 'artefact.removal.approved', p_artefact, jsonb_build_object(
        'call', regexp_replace(about.segment, '-[0-9]{2,}$', ''), 'segment', about.segment, 'asked_by', about.asked_by));
END $$;
COMMENT ON FUNCTION fsgov.approve_detach IS
    'The second login: this artefact is to go, and its recording stays. Never under a hold, and not while a copy is put; keep removes every version of it.';
GRANT EXECUTE ON FUNCTION fsgov.approve_detach TO fsgov_privacy;
CREATE TRIGGER not_under_a_hold BEFORE UPDATE OF state ON fsgov.artefacts FOR EACH ROW
    WHEN (NEW.state = 'removing') EXECUTE FUNCTION fsgov.refuse_held();

CREATE FUNCTION fsgov.detached_due(p_limit integer) RETURNS TABLE (artefact text, segment text, call text, asked_by text,
    approved_by text, places jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT a.artefact, a.segment, regexp_replace(a.segment, '-[0-9]{2,}$', ''), a.asked_by, a.approved_by,
        (SELECT jsonb_agg(jsonb_build_array(o.vault, o.object_key, o.what) ORDER BY o.vault)
         FROM fsgov.objects_of(a.segment) AS o WHERE o.object_key = a.object_key)
    FROM fsgov.artefacts a WHERE a.state = 'removing' AND fsgov.held(a.segment) = '{}'
        AND NOT EXISTS (SELECT FROM fsgov.locks l WHERE l.segment = a.segment AND l.until > now())
    ORDER BY a.artefact LIMIT p_limit
$$;
COMMENT ON FUNCTION fsgov.detached_due IS
    'For keep: artefacts to remove now, and everywhere they lie. What a vault has locked with its recording waits for the end of that, and what a hold has reached since for its release.';
GRANT EXECUTE ON FUNCTION fsgov.detached_due TO fsgov_keep;

CREATE FUNCTION fsgov.artefact_removed(p_artefact text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    parent text;
BEGIN
    UPDATE fsgov.artefacts a SET state = 'destroyed', removed_at = now()
    WHERE a.artefact = p_artefact AND a.state = 'removing' RETURNING a.segment INTO parent;
    DELETE FROM fsgov.scrubs r WHERE r.segment = parent AND r.artefact = p_artefact;
    DELETE FROM fsgov.noted n WHERE n.kind = 'damaged-object' AND n.subject = p_artefact;
    RETURN parent IS NOT NULL;
END $$;
COMMENT ON FUNCTION fsgov.artefact_removed IS
    'No vault lists it any more: the row is its tombstone. False: its recording went first.';
GRANT EXECUTE ON FUNCTION fsgov.artefact_removed TO fsgov_keep;

-- -- evidence bundles ----------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.enter_bundle(p_call text, p_segments text[], p_sha256 text, p_recipient text, p_reason text,
    OUT bundle text, OUT origin text, OUT n bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    whose text;
BEGIN
    origin := fsgov.operator('{fsgov_privacy,fsgov_auditor}');
    SELECT s.tenant INTO whose FROM fsgov.segments s WHERE s.call = p_call AND s.segment = ANY (p_segments)
        GROUP BY s.tenant HAVING count(*) = cardinality(p_segments);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'these are no segments of that call' USING ERRCODE = 'FG404', DETAIL = p_call;
    END IF;
    IF coalesce(p_recipient, '') = '' OR coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'evidence is given to somebody, for a reason' USING ERRCODE = 'FG409', DETAIL = p_call;
    END IF;
    bundle := fsgov.random_id('e-');
    INSERT INTO fsgov.bundles (id, tenant, call, segments, sha256, recipient, reason, made_by)
        VALUES (bundle, whose, p_call, p_segments, p_sha256, p_recipient, p_reason, origin);
    PERFORM fsgov.enter_from_desk(origin, 'evidence.exported', bundle, jsonb_build_object('call', p_call,
        'segments', to_jsonb(p_segments), 'sha256', p_sha256));
    SELECT o.entered_n INTO n FROM fsgov.origins o WHERE o.origin = enter_bundle.origin;
END $$;
COMMENT ON FUNCTION fsgov.enter_bundle IS
    'An evidence bundle is given away: the digest of its SHA256SUMS becomes a line (origin and n are the answer), so that the log''s next checkpoint signs every byte of it.';
GRANT EXECUTE ON FUNCTION fsgov.enter_bundle TO fsgov_privacy, fsgov_auditor;


-- == Holds in the vaults, and quarantine ==================================================================

-- -- legal holds in the vaults -----------------------------------------------------------------------------

CREATE FUNCTION fsgov.mirror_calls() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    INSERT INTO fsgov.mirrors (segment, tenant, due)
    SELECT DISTINCT s.segment, s.tenant, now() FROM fresh f JOIN fsgov.segments s ON s.call = f.call
    WHERE s.object_key IS NOT NULL AND f.tenant IN ('*', s.tenant) AND s.state NOT IN ('destroying', 'destroyed')
    ON CONFLICT (segment) DO UPDATE SET due = now();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.mirror_calls IS 'Trigger: a hold has reached these calls, and keep is to hold their objects.';
CREATE TRIGGER mirrored AFTER INSERT ON fsgov.hold_calls REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION fsgov.mirror_calls();

CREATE FUNCTION fsgov.mirror_segments() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    INSERT INTO fsgov.mirrors (segment, tenant, due)
    SELECT s.segment, s.tenant, now() FROM fresh f JOIN fsgov.segments s ON s.segment = f.segment
    WHERE s.object_key IS NOT NULL AND f.tenant IN ('*', s.tenant) AND s.state NOT IN ('destroying', 'destroyed')
    ON CONFLICT (segment) DO UPDATE SET due = now();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.mirror_segments IS 'Trigger: a hold has reached these segments, and keep is to hold their objects.';
CREATE TRIGGER mirrored AFTER INSERT ON fsgov.hold_segments REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION fsgov.mirror_segments();

CREATE FUNCTION fsgov.mirror_stored() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    PERFORM fsgov.lock_holds(false);
    INSERT INTO fsgov.mirrors (segment, tenant, due)
    SELECT s.segment, s.tenant, now() FROM fsgov.segments s
    WHERE s.segment = NEW.segment AND s.object_key IS NOT NULL AND fsgov.held(s.segment) <> '{}'
    ON CONFLICT (segment) DO UPDATE SET due = now();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.mirror_stored IS
    'Trigger at the commit of whoever stores a segment, a copy or an artefact of it: where it is held, keep is to hold that object.';
CREATE CONSTRAINT TRIGGER mirrored AFTER INSERT OR UPDATE OF object_key, version_id, vault ON fsgov.segments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fsgov.mirror_stored();
CREATE CONSTRAINT TRIGGER mirrored AFTER UPDATE OF state ON fsgov.copies
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'stored') EXECUTE FUNCTION fsgov.mirror_stored();
CREATE CONSTRAINT TRIGGER mirrored AFTER INSERT OR UPDATE OF state ON fsgov.artefacts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'stored') EXECUTE FUNCTION fsgov.mirror_stored();

CREATE FUNCTION fsgov.mirror_released() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    UPDATE fsgov.mirrors m SET due = now() WHERE m.segment IN (
        SELECT s.segment FROM fsgov.hold_calls c JOIN fsgov.segments s ON s.call = c.call WHERE c.hold = NEW.id
        UNION ALL SELECT o.segment FROM fsgov.hold_segments o WHERE o.hold = NEW.id);
    IF NEW.lost THEN  -- the vaults may show legal holds of what it was about
        INSERT INTO fsgov.mirrors (segment, tenant, due)
        SELECT s.segment, s.tenant, now() FROM fsgov.segments s WHERE s.state IN ('stored', 'quarantined')
        ON CONFLICT (segment) DO UPDATE SET due = now();
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fsgov.mirror_released IS 'Trigger: a hold is released, and keep is to lift the legal holds that no other hold is for.';
CREATE TRIGGER mirrored AFTER UPDATE OF released_at ON fsgov.holds FOR EACH ROW
    WHEN (NEW.released_at IS NOT NULL AND OLD.released_at IS NULL) EXECUTE FUNCTION fsgov.mirror_released();

CREATE FUNCTION fsgov.mirrors_due(p_limit integer)
RETURNS TABLE (segment text, call text, due timestamptz, wanted boolean, held boolean, tries integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    WITH page AS MATERIALIZED (
        SELECT * FROM fsgov.mirrors m WHERE m.due <= now() ORDER BY m.due, m.segment LIMIT p_limit)
    SELECT m.segment, coalesce(s.call, regexp_replace(m.segment, '-[0-9]+$', '')), m.due,
        fsgov.held(m.segment) <> '{}', m.held, m.tries
    FROM page m LEFT JOIN fsgov.segments s USING (segment) ORDER BY m.due, m.segment
$$;
COMMENT ON FUNCTION fsgov.mirrors_due IS
    'For keep: segments to look at now; wanted: whether a hold is in force, held: whether the vaults showed one at the last look.';
GRANT EXECUTE ON FUNCTION fsgov.mirrors_due TO fsgov_keep;

CREATE FUNCTION fsgov.mirrored(p_segment text, p_due timestamptz, p_held boolean, p_objects integer, p_unable text[],
    p_why text, p_again interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    UPDATE fsgov.mirrors m SET held = p_held, objects = p_objects, unable = p_unable, why = p_why, looked_at = now(),
        tries = CASE p_why WHEN '' THEN 0 ELSE m.tries + 1 END,
        due = CASE WHEN m.due IS DISTINCT FROM p_due THEN m.due ELSE now() + p_again END
    WHERE m.segment = p_segment
$$;
COMMENT ON FUNCTION fsgov.mirrored IS
    'keep has looked at the objects of this segment, due then: what they show, and when to look again (null: never). What became due meanwhile stays so.';
GRANT EXECUTE ON FUNCTION fsgov.mirrored TO fsgov_keep;

CREATE FUNCTION fsgov.mirrors_failing(OUT segments bigint, OUT tries integer, OUT why text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT count(*), coalesce(max(m.tries), 0), coalesce(max(m.why), '') FROM fsgov.mirrors m WHERE m.why <> ''
$$;
COMMENT ON FUNCTION fsgov.mirrors_failing IS
    'For the alarm of keep: of how many segments the vaults do not show what they should, tried how often, and why.';
GRANT EXECUTE ON FUNCTION fsgov.mirrors_failing TO fsgov_keep;

-- -- quarantine --------------------------------------------------------------------------------------------

CREATE FUNCTION fsgov.note_review(p_segment text, p_act text, p_reason text, p_person text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, fsgov, pg_temp AS $$
    INSERT INTO fsgov.reviews (segment, n, tenant, act, reason, person)
    SELECT s.segment, (SELECT coalesce(max(r.n), 0) + 1 FROM fsgov.reviews r WHERE r.segment = p_segment), s.tenant,
        p_act, p_reason, p_person FROM fsgov.segments s WHERE s.segment = p_segment
$$;
COMMENT ON FUNCTION fsgov.note_review IS 'Internal: one more row of reviews. The row of the segment is locked.';

CREATE FUNCTION fsgov.set_quarantine(p_segment text, p_reason text, p_review_by timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    about  fsgov.segments;
    until  timestamptz := coalesce(p_review_by, now() + interval '14 days');
BEGIN
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = p_segment AND fsgov.mine(s.tenant) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such segment' USING ERRCODE = 'FG404', DETAIL = p_segment;
    END IF;
    IF about.state <> 'stored' THEN
        RAISE EXCEPTION 'this recording cannot go to quarantine' USING ERRCODE = 'FG409',
            DETAIL = p_segment || ' is ' || about.state;
    END IF;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'a quarantine has a reason' USING ERRCODE = 'FG422', DETAIL = p_segment;
    END IF;
    IF until <= now() OR until > now() + interval '90 days' THEN
        RAISE EXCEPTION 'a review is due within 90 days' USING ERRCODE = 'FG422', DETAIL = until::text;
    END IF;
    UPDATE fsgov.segments s SET state = 'quarantined', quarantine = 'person', review_by = until WHERE s.segment = p_segment;
    PERFORM fsgov.note_review(p_segment, 'set', p_reason, person);
    PERFORM fsgov.enter_from_desk(person, 'quarantine.set', p_segment, jsonb_build_object('call', about.call,
        'review_by', to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')));
    RETURN until;
END $$;
COMMENT ON FUNCTION fsgov.set_quarantine IS
    'A stored recording is for reviewers alone from now on, and to be reviewed by then (null: in 14 days), which is the answer.';
GRANT EXECUTE ON FUNCTION fsgov.set_quarantine TO fsgov_supervisor, fsgov_privacy;

CREATE FUNCTION fsgov.release_quarantine(p_segment text, p_keep boolean, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text := fsgov.holder();
    about  fsgov.segments;
BEGIN
    SELECT * INTO about FROM fsgov.segments s WHERE s.segment = p_segment AND fsgov.mine(s.tenant) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such segment' USING ERRCODE = 'FG404', DETAIL = p_segment;
    END IF;
    IF about.state <> 'quarantined' THEN
        RAISE EXCEPTION 'this recording is not in quarantine' USING ERRCODE = 'FG409',
            DETAIL = p_segment || ' is ' || about.state;
    END IF;
    IF coalesce(p_reason, '') = '' THEN
        RAISE EXCEPTION 'a decision has a reason' USING ERRCODE = 'FG422', DETAIL = p_segment;
    END IF;
    IF about.dispose AND NOT starts_with(about.dispose_reason, 'quarantine') THEN
        RAISE EXCEPTION 'this recording is to be destroyed whatever a review says' USING ERRCODE = 'FG409',
            DETAIL = p_segment || ': ' || about.dispose_reason;
    END IF;
    IF p_keep THEN
        UPDATE fsgov.segments s SET state = 'stored', quarantine = '', review_by = NULL, dispose = false, dispose_reason = ''
        WHERE s.segment = p_segment;
    ELSE
        UPDATE fsgov.segments s SET dispose = true, dispose_reason = 'quarantine: the reviewer has decided'
        WHERE s.segment = p_segment;
    END IF;
    PERFORM fsgov.note_review(p_segment, CASE WHEN p_keep THEN 'kept' ELSE 'disposed' END, p_reason, person);
    PERFORM fsgov.enter_from_desk(person, 'quarantine.released', p_segment, jsonb_build_object('call', about.call,
        'reason', about.quarantine, 'decision', CASE WHEN p_keep THEN 'keep' ELSE 'dispose' END));
END $$;
COMMENT ON FUNCTION fsgov.release_quarantine IS
    'The reviewer has decided: it is a recording like others (p_keep), or to be destroyed by purge, where no hold is on it. What nobody reviewed in time can be kept until purge begins.';
GRANT EXECUTE ON FUNCTION fsgov.release_quarantine TO fsgov_privacy;

CREATE FUNCTION fsgov.is_reviewed(p_segment text) RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.reviews r WHERE r.segment = p_segment AND r.act IN ('kept', 'disposed'))
$$;
COMMENT ON FUNCTION fsgov.is_reviewed IS 'Internal: whether a reviewer has decided: what sent it to quarantine does so no more.';

CREATE FUNCTION fsgov.is_reminded(p_segment text) RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.reviews r WHERE r.segment = p_segment AND r.act = 'reminded'
        AND r.n > coalesce((SELECT max(k.n) FROM fsgov.reviews k WHERE k.segment = p_segment AND k.act <> 'reminded'), 0))
$$;
COMMENT ON FUNCTION fsgov.is_reminded IS
    'Internal: whether keep has told that this review is due, since the recording was set aside or somebody decided of it.';

CREATE FUNCTION fsgov.remind_quarantines(p_limit integer)
RETURNS TABLE (segment text, call text, reason text, review_by timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH near AS (
        SELECT s.segment, s.call, s.quarantine, s.review_by FROM fsgov.segments s
        WHERE s.state = 'quarantined' AND NOT s.dispose
            AND s.review_by < now() + (s.review_by - coalesce((SELECT max(r.at) FROM fsgov.reviews r
                WHERE r.segment = s.segment AND r.act = 'set'), s.stored_at, s.entered_at)) / 4
            AND NOT fsgov.is_reminded(s.segment)
        ORDER BY s.review_by LIMIT p_limit FOR UPDATE),
    noted AS (
        SELECT n.*, fsgov.note_review(n.segment, 'reminded', '', NULL) FROM near n)
    SELECT n.segment, n.call, n.quarantine, n.review_by FROM noted n;
END $$;
COMMENT ON FUNCTION fsgov.remind_quarantines IS
    'For keep: recordings of which three quarters of the time for their review are over, each once.';
GRANT EXECUTE ON FUNCTION fsgov.remind_quarantines TO fsgov_keep;

CREATE FUNCTION fsgov.end_quarantines(p_limit integer) RETURNS TABLE (segment text, call text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM fsgov.lock_holds(false);
    RETURN QUERY WITH over AS (
        SELECT s.segment, s.call, s.quarantine FROM fsgov.segments s
        WHERE s.state = 'quarantined' AND NOT s.dispose AND s.review_by < now() AND fsgov.held(s.segment) = '{}'
        ORDER BY s.review_by LIMIT p_limit FOR UPDATE),
    marked AS (
        UPDATE fsgov.segments s SET dispose = true, dispose_reason = 'quarantine: not reviewed in time'
        FROM over WHERE s.segment = over.segment RETURNING over.*),
    noted AS (
        SELECT m.*, fsgov.note_review(m.segment, 'ended', '', NULL) FROM marked m)
    SELECT n.segment, n.call, n.quarantine FROM noted n;
END $$;
COMMENT ON FUNCTION fsgov.end_quarantines IS
    'For keep: nobody has reviewed these in time, so they are to be destroyed; none that a hold is on.';
GRANT EXECUTE ON FUNCTION fsgov.end_quarantines TO fsgov_keep;

CREATE FUNCTION fsgov.quarantines_open(OUT waiting bigint, OUT near bigint, OUT held bigint, OUT first timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE s.review_by >= now() AND fsgov.is_reminded(s.segment)),
        count(*) FILTER (WHERE s.review_by < now()), min(s.review_by)
    FROM fsgov.segments s WHERE s.state = 'quarantined' AND NOT s.dispose
$$;
COMMENT ON FUNCTION fsgov.quarantines_open IS
    'For the alarm of keep: recordings that wait for a reviewer; near: those of which it reminded; held: past their time, which a hold keeps.';
GRANT EXECUTE ON FUNCTION fsgov.quarantines_open TO fsgov_keep;


-- == Administrators of the database: members of fsgov_owner, or superusers ===============================

CREATE FUNCTION fsgov.admin() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    person text;
BEGIN
    IF NOT pg_has_role(session_user, 'fsgov_owner', 'MEMBER') THEN
        RAISE EXCEPTION 'this login does not administer the database' USING ERRCODE = 'FG403', DETAIL = session_user;
    END IF;
    INSERT INTO fsgov.people (id, login) VALUES (fsgov.random_id('p-'), session_user)
        ON CONFLICT (login) DO NOTHING RETURNING id INTO person;
    IF person IS NOT NULL THEN
        INSERT INTO fsgov.memberships (person, tenant) VALUES (person, '*');
        PERFORM fsgov.enter_from_desk(person, 'people.added', person, jsonb_build_object('roles', '[]'::jsonb));
    END IF;
    RETURN fsgov.me();
END $$;
COMMENT ON FUNCTION fsgov.admin IS 'The person id of an administrator; made on their first act.';

CREATE FUNCTION fsgov.people_add(p_login name, p_os_user text, p_tenants text[]) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor  text := fsgov.admin();
    person text := fsgov.random_id('p-');
BEGIN
    IF p_login IN ('fsgov_govern', 'fsgov_ship', 'fsgov_keep', 'fsgov_owner') THEN
        RAISE EXCEPTION 'a service is not a person' USING ERRCODE = 'FG409', DETAIL = p_login;
    END IF;
    INSERT INTO fsgov.people (id, login, os_user) VALUES (person, p_login, nullif(p_os_user, ''));
    INSERT INTO fsgov.memberships (person, tenant) SELECT person, t FROM unnest(p_tenants) AS t;
    PERFORM fsgov.enter_from_desk(actor, 'people.added', person,
        jsonb_build_object('roles', to_jsonb(fsgov.roles_of(p_login))));
    RETURN person;
END $$;
COMMENT ON FUNCTION fsgov.people_add IS 'A login becomes a person. The role and its groups are made in the same transaction, before.';

CREATE FUNCTION fsgov.people_disable(p_login name) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor  text := fsgov.admin();
    person text;
BEGIN
    UPDATE fsgov.people SET disabled_at = now(), os_user = NULL
        WHERE login = p_login AND disabled_at IS NULL RETURNING id INTO person;
    IF person IS NULL THEN
        RAISE EXCEPTION 'there is no such person' USING ERRCODE = 'FG404', DETAIL = p_login;
    END IF;
    PERFORM fsgov.enter_from_desk(actor, 'people.disabled', person, '{}');
    RETURN person;
END $$;
COMMENT ON FUNCTION fsgov.people_disable IS 'This person acts no more; the rows that name them stay.';

CREATE FUNCTION fsgov.open_log(p_prior_log_id text, p_prior_size bigint, p_prior_root bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor  text := fsgov.admin();
    opened text := fsgov.random_id('log-');
BEGIN
    INSERT INTO fsgov.log (log_id, opened_at, prior_log_id, prior_size, prior_root)
        VALUES (opened, clock_timestamp(), p_prior_log_id, p_prior_size, p_prior_root);
    PERFORM fsgov.enter_from_desk(actor, 'log.opened', opened, jsonb_build_object(
        'prior_log', p_prior_log_id, 'prior_size', p_prior_size, 'prior_root', encode(p_prior_root, 'hex')));
    RETURN opened;
END $$;
COMMENT ON FUNCTION fsgov.open_log IS 'A new log; the first is opened by db init, another only after a restore.';

CREATE FUNCTION fsgov.restore_begins(p_known_to timestamptz, p_copied boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
    begun text := fsgov.random_id('r-');
BEGIN
    PERFORM fsgov.lock_holds(true);
    UPDATE fsgov.restores r SET asked_by = NULL, asked_at = NULL, asked_why = '' WHERE r.resumed_at IS NULL;
    INSERT INTO fsgov.restores (id, taken_up_by, known_to, copied) VALUES (begun, actor, p_known_to, p_copied);
    RETURN begun;
END $$;
COMMENT ON FUNCTION fsgov.restore_begins IS
    'An older dump is taken up: from here on nothing begins to be destroyed, until approve_resume.';

CREATE FUNCTION fsgov.enter_again(p_origins text[], p_ns bigint[], p_lines bytea[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
    more  bigint := 0;
    place integer;
    last  bigint;
    entry jsonb;
BEGIN
    FOR place IN 1 .. coalesce(cardinality(p_lines), 0) LOOP
        INSERT INTO fsgov.origins (origin, part) VALUES (p_origins[place],
            coalesce(substring(p_origins[place] FROM '[.](govern|ship|keep)[.][0-9]+$'), 'desk')) ON CONFLICT DO NOTHING;
        SELECT entered_n INTO last FROM fsgov.origins WHERE origin = p_origins[place] FOR UPDATE;
        CONTINUE WHEN p_ns[place] <= last;
        IF p_ns[place] > last + 1 THEN
            RAISE EXCEPTION 'lines of an origin are entered without gaps' USING ERRCODE = 'FG409',
                DETAIL = format('%s: line %s cannot follow line %s', p_origins[place], p_ns[place], last);
        END IF;
        entry := convert_from(p_lines[place], 'UTF8')::jsonb;
        PERFORM fsgov.take_line(p_origins[place], p_ns[place], p_lines[place], entry);
        UPDATE fsgov.origins SET entered_n = p_ns[place] WHERE origin = p_origins[place];
        more := more + 1;
        IF entry ->> 'type' IN ('fsgov.segment.checked.v1', 'fsgov.call.outcome.revised.v1') THEN
            INSERT INTO fsgov.retold (subject, type) VALUES (entry ->> 'subject', entry ->> 'type') ON CONFLICT DO NOTHING;
        ELSIF entry ->> 'type' LIKE 'fsgov.statement.%' THEN
            INSERT INTO fsgov.statements (day, host, tenant, n, facts) VALUES ((entry #>> '{data,day}')::date,
                entry ->> 'subject', coalesce(entry #>> '{data,tenant}', '*'), (entry #>> '{data,statement}')::integer,
                (entry -> 'data') - 'statement') ON CONFLICT DO NOTHING;
        ELSIF entry ->> 'source' = '/fsgov/desk'
              AND entry ->> 'type' !~ '^fsgov[.](access|artefact|evidence|rotation|log|segment|subject|lost|purge)[.]'
              OR entry ->> 'type' = 'fsgov.purge.ended.v1' AND entry #>> '{data,state}' = 'stopped' THEN
            INSERT INTO fsgov.lost_acts (id, restore, type, subject, actor, at, facts)
            SELECT entry ->> 'id', (SELECT r.id FROM fsgov.restores r ORDER BY r.taken_up_at DESC LIMIT 1),
                regexp_replace(entry ->> 'type', '^fsgov[.](.*)[.]v[0-9]+$', '\1'), entry ->> 'subject',
                entry #>> '{data,actor}', (entry ->> 'time')::timestamptz, (entry -> 'data') - 'actor';
        END IF;
    END LOOP;
    RETURN more;
END $$;
COMMENT ON FUNCTION fsgov.enter_again IS
    'After a restore: lines of the lost part of the log, from a verified copy, in its order. Those that are there stay as they are. What people had done by them is in lost_acts.';

CREATE FUNCTION fsgov.redo_lost() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    act    record;
    who    text;
    became text;
    redone bigint := 0;
BEGIN
    FOR act IN SELECT a.*, r.taken_up_by, r.taken_up_at FROM fsgov.lost_acts a JOIN fsgov.restores r ON r.id = a.restore
            WHERE a.state = 'open' ORDER BY a.place FOR UPDATE OF a LOOP
        who := coalesce((SELECT p.id FROM fsgov.people p WHERE p.id = act.actor), act.taken_up_by);
        became := 'open';
        IF act.type = 'anchor.set' THEN
            IF EXISTS (SELECT FROM fsgov.anchors a WHERE a.call = act.subject AND a.event = act.facts ->> 'event'
                       AND a.set_at > act.taken_up_at AND a.set_by IS NOT NULL) THEN
                became := 'over';
            ELSIF EXISTS (SELECT FROM fsgov.calls c WHERE c.call = act.subject) THEN
                INSERT INTO fsgov.anchors AS a (call, event, tenant, at, set_by, set_at)
                SELECT c.call, act.facts ->> 'event', c.tenant, (act.facts ->> 'at')::timestamptz, who, act.at FROM fsgov.calls c
                WHERE c.call = act.subject
                ON CONFLICT (call, event) DO UPDATE SET at = excluded.at, set_by = excluded.set_by, set_at = excluded.set_at;
                became := 'redone';
            END IF;
        ELSIF act.type = 'retention.applied' THEN
            IF EXISTS (SELECT FROM fsgov.policies p WHERE p.sha256 = act.subject) AND who = act.actor
               AND EXISTS (SELECT FROM fsgov.people p WHERE p.id = act.facts ->> 'proposed_by') THEN
                INSERT INTO fsgov.retention_moves (from_sha256, to_sha256, reason, proposed_by, proposed_at, approved_by, applied_at)
                VALUES (fsgov.texts(act.facts -> 'from'), act.subject, 'as before the restore', act.facts ->> 'proposed_by',
                    act.at, act.actor, act.at);
                became := 'redone';
            END IF;
        ELSIF act.type IN ('plan.stopped', 'purge.ended') THEN
            UPDATE fsgov.plans p SET state = 'stopped', stopped_by = CASE act.type WHEN 'plan.stopped' THEN who END,
                stopped_for = 'as before the restore', ended_at = now()
            WHERE p.id = act.subject AND p.state NOT IN ('done', 'stopped');
            became := CASE WHEN FOUND THEN 'redone' ELSE 'over' END;
        ELSIF act.type = 'schedule.ended' THEN
            UPDATE fsgov.schedules s SET ended_by = who, ended_at = now(), ended_for = 'as before the restore'
            WHERE s.id = act.subject AND s.ended_at IS NULL;
            became := CASE WHEN FOUND THEN 'redone' ELSE 'over' END;
        ELSIF act.type = 'quarantine.released' AND act.facts ->> 'decision' = 'keep' THEN
            UPDATE fsgov.segments s SET state = 'stored', quarantine = '', review_by = NULL, dispose = false, dispose_reason = ''
            WHERE s.segment = act.subject AND s.state = 'quarantined'
                AND (NOT s.dispose OR starts_with(s.dispose_reason, 'quarantine'));
            IF FOUND THEN
                PERFORM fsgov.note_review(act.subject, 'kept', 'as before the restore', who);
                became := 'redone';
            ELSIF EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = act.subject) THEN
                became := 'over';
            END IF;
        ELSIF act.type IN ('hold.placed', 'hold.extended') THEN
            became := CASE WHEN EXISTS (SELECT FROM fsgov.holds h WHERE h.id = act.subject AND h.released_at IS NULL)
                THEN 'redone' ELSE 'over' END;
        ELSE
            became := 'told';
        END IF;
        UPDATE fsgov.lost_acts a SET state = became WHERE a.id = act.id AND became <> 'open';
        redone := redone + (became = 'redone')::integer;
    END LOOP;
    RETURN redone;
END $$;
COMMENT ON FUNCTION fsgov.redo_lost IS
    'Internal: granted to nobody, and after lost_holds. What the lines of lost acts say in full is done again, as far as what it is about is there (a call may come back from a spool later); the answer is how many.';

CREATE FUNCTION fsgov.apply_ledger(p_segments text[], OUT keys bigint, OUT came_back text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
BEGIN
    came_back := ARRAY(SELECT s.segment FROM fsgov.segments s
        WHERE s.segment = ANY (p_segments) AND s.state IN ('stored', 'quarantined') ORDER BY 1);
    INSERT INTO fsgov.erased (segment, tenant, key_sha256, recipients, restored)
    SELECT u, coalesce(s.tenant, '*'), encode(sha256(k.wrapped_key), 'hex'), coalesce(k.recipients, '{}'), true
    FROM unnest(p_segments) AS u LEFT JOIN fsgov.segments s ON s.segment = u LEFT JOIN fsgov.segment_keys k ON k.segment = u
    ON CONFLICT DO NOTHING;
    UPDATE fsgov.segments s SET state = 'destroying' WHERE s.segment = ANY (came_back);
    DELETE FROM fsgov.segment_keys k WHERE k.segment = ANY (p_segments);
    GET DIAGNOSTICS keys = ROW_COUNT;
END $$;
COMMENT ON FUNCTION fsgov.apply_ledger IS
    'After a restore: these were erased after the dump was made. Their keys go again (keys: how many were back), and what came back is destroying again, until keep has seen the vaults.';

CREATE FUNCTION fsgov.ledger_says(p_segment text, p_facts jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
BEGIN
    UPDATE fsgov.erased e SET plan = p_facts ->> 'plan', cause = p_facts ->> 'cause', proposed_by = p_facts ->> 'proposed_by',
        approved_by = p_facts ->> 'approved_by', key_sha256 = coalesce(e.key_sha256, p_facts ->> 'key_sha256')
    WHERE e.segment = p_segment AND e.plan IS NULL;
END $$;
COMMENT ON FUNCTION fsgov.ledger_says IS 'After a restore: by whom and why this was erased, as its line of the ledger has it.';

CREATE FUNCTION fsgov.apply_forgotten(p_names text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
    named record;
    back  bigint := 0;
BEGIN
    FOR named IN SELECT DISTINCT split_part(n, '.', 1) AS call, split_part(n, '.', 2)::integer AS party FROM unnest(p_names) AS n LOOP
        INSERT INTO fsgov.forgotten (call, party, tenant) SELECT named.call, named.party,
            coalesce((SELECT c.tenant FROM fsgov.calls c WHERE c.call = named.call), '*') ON CONFLICT DO NOTHING;
        back := back + (SELECT count(*) FROM fsgov.parties p WHERE p.call = named.call AND p.party = named.party
                        AND coalesce(p.number, p.e164, p.facts::text) IS NOT NULL);
        PERFORM fsgov.unname(named.call, named.party);
    END LOOP;
    RETURN back;
END $$;
COMMENT ON FUNCTION fsgov.apply_forgotten IS
    'After a restore: the rows that name these parties (CALL.PARTY) were nulled after the dump was made. They are again; the answer is how many were back.';

CREATE FUNCTION fsgov.apply_requests(p_requests jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
    more  bigint;
BEGIN
    INSERT INTO fsgov.subject_requests (id, tenant, kind, state, received_at, due_at, opened_by)
    SELECT e ->> 'request', coalesce(e ->> 'tenant', '*'), coalesce(e ->> 'kind', 'erase'),
        CASE WHEN e -> 'records' = '[]' THEN 'lost' ELSE 'open' END, now(), coalesce((e ->> 'due')::timestamptz, now()), actor
    FROM jsonb_array_elements(p_requests) AS e ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS more = ROW_COUNT;
    INSERT INTO fsgov.subject_records (request, call, party, tenant, verdict, promised_at)
    SELECT q.id, split_part(n, '.', 1), split_part(n, '.', 2)::integer, q.tenant, 'due', now()
    FROM jsonb_array_elements(p_requests) AS e JOIN fsgov.subject_requests q ON q.id = e ->> 'request',
        jsonb_array_elements_text(e -> 'records') AS n
    ON CONFLICT DO NOTHING;
    RETURN more;
END $$;
COMMENT ON FUNCTION fsgov.apply_requests IS
    'After a restore: requests that were made after the dump. What the ledger promised of them is there, open, for a second login to approve; of the others only the log knows, and the person has to be asked again (lost).';

CREATE FUNCTION fsgov.lost_holds(p_lacking boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    actor text := fsgov.admin();
    told  record;
    more  bigint := 0;
BEGIN
    PERFORM fsgov.lock_holds(true);
    FOR told IN
        WITH lines AS (
            SELECT convert_from(l.line, 'UTF8')::jsonb AS entry FROM (
                SELECT e.line FROM fsgov.event_log e UNION ALL SELECT o.line FROM fsgov.outbox o) AS l
            WHERE position('"type":"fsgov.hold.'::bytea IN l.line) > 0),
        of_hold AS (
            SELECT entry ->> 'subject' AS hold, sum((entry #>> '{data,items}')::bigint) AS items,
                min((entry ->> 'time')::timestamptz) AS at, bool_or(entry ->> 'type' = 'fsgov.hold.released.v1') AS over,
                min(entry #>> '{data,actor}') FILTER (WHERE entry ->> 'type' = 'fsgov.hold.placed.v1') AS person
            FROM lines GROUP BY 1)
        SELECT f.hold, f.at, p.id AS person FROM of_hold f LEFT JOIN fsgov.people p ON p.id = f.person
        LEFT JOIN fsgov.holds h ON h.id = f.hold
        WHERE NOT f.over AND NOT coalesce(h.lost OR h.released_at IS NOT NULL, false)
            AND f.items > (SELECT count(*) FROM fsgov.hold_items i WHERE i.hold = f.hold)
        UNION ALL SELECT fsgov.random_id('h-'), now(), NULL WHERE p_lacking ORDER BY 1 LOOP
        INSERT INTO fsgov.holds AS h (id, tenant, matter, placed_by, placed_at, lost)
        VALUES (told.hold, '*', 'a restore has lost what this hold is about', coalesce(told.person, actor), told.at, true)
        ON CONFLICT (id) DO UPDATE SET lost = true, asked_by = NULL, asked_at = NULL, asked_why = '';
        PERFORM fsgov.enter_from_desk(actor, 'hold.lost', told.hold, '{}');
        more := more + 1;
    END LOOP;
    RETURN more;
END $$;
COMMENT ON FUNCTION fsgov.lost_holds IS
    'After a restore: holds that the log tells of, or of more items, than the dump has are on everything until they are released. p_lacking: lines are lost of which there is no copy, so there may be such holds: one for them. How many.';

CREATE FUNCTION fsgov.is_retold(p_subject text, p_type text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.retold WHERE subject = p_subject AND type = p_type)
$$;
COMMENT ON FUNCTION fsgov.is_retold IS 'Has the copy of the lost log told this already?';
GRANT EXECUTE ON FUNCTION fsgov.is_retold TO fsgov_ship;


-- == Keep: one sequencer =================================================================================

CREATE FUNCTION fsgov.be_sequencer() RETURNS boolean LANGUAGE sql VOLATILE
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT pg_try_advisory_lock(7377471)
$$;
COMMENT ON FUNCTION fsgov.be_sequencer IS 'True: this connection is the sequencer until it ends. False: another one is.';
GRANT EXECUTE ON FUNCTION fsgov.be_sequencer TO fsgov_keep;

CREATE FUNCTION fsgov.current_log() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT log_id FROM fsgov.log ORDER BY opened_at DESC LIMIT 1
$$;
COMMENT ON FUNCTION fsgov.current_log IS 'The log that is written: the newest. Another one than before tells ship that the database was restored.';
GRANT EXECUTE ON FUNCTION fsgov.current_log TO fsgov_ship;

CREATE FUNCTION fsgov.sequence(p_log_id text, p_first bigint, p_origins text[], p_ns bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
DECLARE
    next_seq bigint;
    moved    bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7377471) THEN
        RAISE EXCEPTION 'another sequencer is at work' USING ERRCODE = 'FG409';
    END IF;
    SELECT coalesce(max(seq) + 1, 0) INTO next_seq FROM fsgov.event_log WHERE log_id = p_log_id;
    IF p_log_id IS DISTINCT FROM fsgov.current_log() OR p_first <> next_seq THEN
        RAISE EXCEPTION 'the log goes on elsewhere' USING ERRCODE = 'FG409',
            DETAIL = format('asked for %s %s, next is %s %s', p_log_id, p_first, fsgov.current_log(), next_seq);
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT b.origin, b.n, row_number() OVER (PARTITION BY b.origin ORDER BY b.place) AS place
                     FROM unnest(p_origins, p_ns) WITH ORDINALITY AS b(origin, n, place)) AS asked
        JOIN fsgov.origins g USING (origin) WHERE asked.n <> g.sequenced_n + asked.place) THEN
        RAISE EXCEPTION 'line n of an origin waits for line n-1' USING ERRCODE = 'FG409';
    END IF;
    INSERT INTO fsgov.event_log (log_id, seq, tenant, origin, n, line, leaf)
    SELECT p_log_id, p_first + b.place - 1, o.tenant, o.origin, o.n, o.line, sha256('\x00'::bytea || o.line)
    FROM unnest(p_origins, p_ns) WITH ORDINALITY AS b(origin, n, place) JOIN fsgov.outbox o USING (origin, n);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(p_origins) THEN
        RAISE EXCEPTION 'a line of the batch is not in the outbox' USING ERRCODE = 'FG409';
    END IF;
    DELETE FROM fsgov.outbox o USING unnest(p_origins, p_ns) AS b(origin, n) WHERE o.origin = b.origin AND o.n = b.n;
    UPDATE fsgov.origins g SET sequenced_n = b.n
    FROM (SELECT u.origin, max(u.n) AS n FROM unnest(p_origins, p_ns) AS u(origin, n) GROUP BY 1) AS b
    WHERE g.origin = b.origin;
    RETURN p_first + moved;
END $$;
COMMENT ON FUNCTION fsgov.sequence IS
    'Moves these lines from outbox to event_log, the first one at p_first, each origin in its order. Answers the size of the log.';
GRANT EXECUTE ON FUNCTION fsgov.sequence TO fsgov_keep;

CREATE FUNCTION fsgov.store_checkpoint(p_log_id text, p_size bigint, p_root bytea, p_frontier bytea, p_note text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7377471) THEN
        RAISE EXCEPTION 'another sequencer is at work' USING ERRCODE = 'FG409';
    END IF;
    IF NOT EXISTS (SELECT FROM fsgov.event_log WHERE log_id = p_log_id AND seq = p_size - 1) THEN
        RAISE EXCEPTION 'a checkpoint cannot be larger than its log' USING ERRCODE = 'FG409', DETAIL = p_size::text;
    END IF;
    INSERT INTO fsgov.checkpoints (log_id, size, root, frontier, note) VALUES (p_log_id, p_size, p_root, p_frontier, p_note);
END $$;
COMMENT ON FUNCTION fsgov.store_checkpoint IS 'Keeps a signed state of the log.';
GRANT EXECUTE ON FUNCTION fsgov.store_checkpoint TO fsgov_keep;

CREATE FUNCTION fsgov.sink_reached(p_sink text, p_log_id text, p_size bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    INSERT INTO fsgov.sinks AS s (sink, log_id, size) VALUES (p_sink, p_log_id, p_size)
    ON CONFLICT (sink, log_id) DO UPDATE SET size = excluded.size, reached_at = now() WHERE s.size < excluded.size
$$;
COMMENT ON FUNCTION fsgov.sink_reached IS 'This sink has the first p_size lines.';
GRANT EXECUTE ON FUNCTION fsgov.sink_reached TO fsgov_keep;

CREATE FUNCTION fsgov.scrub_due(p_before timestamptz, p_again timestamptz, p_vaults text[], p_limit integer)
RETURNS TABLE (segment text, artefact text, call text, vault text, object_key text, version_id text, sealed_size bigint,
    sealed_sha256 text, verdict text, locked_until timestamptz, lock_mode text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT o.segment, o.artefact, o.call, o.vault, o.object_key, o.version_id, o.sealed_size, o.sealed_sha256,
        coalesce(r.verdict, ''), r.locked_until, coalesce(r.lock_mode, '')
    FROM (
        SELECT s.segment, '' AS artefact, s.call, s.vault, s.object_key, s.version_id, s.sealed_size, s.sealed_sha256,
            coalesce(s.stored_at, s.entered_at) AS stored_at
        FROM fsgov.segments s WHERE s.state IN ('stored', 'quarantined')
        UNION ALL
        SELECT a.segment, a.artefact, s.call, a.vault, a.object_key, a.version_id, a.sealed_size, a.sealed_sha256, a.stored_at
        FROM fsgov.artefacts a JOIN fsgov.segments s USING (segment) WHERE a.state = 'stored'
    ) AS o LEFT JOIN fsgov.scrubs r USING (segment, artefact)
    WHERE o.vault = ANY (p_vaults)
        AND CASE WHEN coalesce(r.verdict, 'intact') = 'intact'
                 THEN coalesce(r.looked_at, o.stored_at) < p_before
                 ELSE coalesce(r.looked_at, '-infinity') < p_again END
    ORDER BY coalesce(r.verdict, 'intact') = 'intact', coalesce(r.looked_at, o.stored_at), o.segment, o.artefact
    LIMIT p_limit
$$;
COMMENT ON FUNCTION fsgov.scrub_due IS
    'Stored objects to read again, of recordings and of what was made of them: first those that were wrong when they were looked at before p_again, then those not looked at since p_before, the longest ago first.';
GRANT EXECUTE ON FUNCTION fsgov.scrub_due TO fsgov_keep;

CREATE FUNCTION fsgov.scrubbed(p_segment text, p_artefact text, p_verdict text, p_locked_until timestamptz,
    p_lock_mode text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    INSERT INTO fsgov.scrubs AS r (segment, artefact, tenant, verdict, looked_at, locked_until, lock_mode)
    SELECT s.segment, p_artefact, s.tenant, p_verdict, now(), p_locked_until, p_lock_mode FROM fsgov.segments s
    WHERE s.segment = p_segment
    ON CONFLICT (segment, artefact) DO UPDATE SET verdict = p_verdict, looked_at = now(), locked_until = p_locked_until,
        lock_mode = p_lock_mode, since = CASE r.verdict WHEN p_verdict THEN r.since ELSE now() END;
    IF EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = p_segment AND s.state IN ('destroying', 'destroyed'))
       OR EXISTS (SELECT FROM fsgov.artefacts a WHERE a.artefact = p_artefact AND a.state <> 'stored') THEN
        RAISE EXCEPTION 'this recording has been destroyed meanwhile' USING ERRCODE = 'FG409', DETAIL = p_segment;
    END IF;
    DELETE FROM fsgov.noted n WHERE n.kind = 'damaged-object' AND p_verdict = 'intact'
        AND n.subject = CASE p_artefact WHEN '' THEN p_segment ELSE p_artefact END;
END $$;
COMMENT ON FUNCTION fsgov.scrubbed IS
    'keep has read the object of this segment again, or (p_artefact) of what was made of it. A loss that a person had accepted is none any more once it is intact.';
GRANT EXECUTE ON FUNCTION fsgov.scrubbed TO fsgov_keep;

CREATE FUNCTION fsgov.scrub_faults() RETURNS TABLE (verdict text, objects bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT r.verdict, count(*) FROM fsgov.scrubs r
    WHERE r.verdict <> 'intact'
        AND EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = r.segment AND s.state IN ('stored', 'quarantined'))
        AND NOT EXISTS (SELECT FROM fsgov.noted n WHERE n.kind = 'damaged-object'
            AND n.subject = CASE r.artefact WHEN '' THEN r.segment ELSE r.artefact END)
    GROUP BY 1 ORDER BY 1
$$;
COMMENT ON FUNCTION fsgov.scrub_faults IS 'For the alarm of keep: objects that are not what was stored, without losses that a person has accepted.';
GRANT EXECUTE ON FUNCTION fsgov.scrub_faults TO fsgov_keep;

CREATE FUNCTION fsgov.is_accepted(p_segment text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$
    SELECT EXISTS (SELECT FROM fsgov.noted n JOIN (
            SELECT s.segment AS subject, s.tenant FROM fsgov.segments s WHERE s.segment = p_segment
            UNION ALL SELECT a.artefact, a.tenant FROM fsgov.artefacts a WHERE a.artefact = p_segment) AS o USING (subject)
        WHERE n.kind = 'damaged-object' AND fsgov.shows(o.tenant))
$$;
COMMENT ON FUNCTION fsgov.is_accepted IS 'Whether a person has accepted that the object of this segment, or artefact, is lost.';
GRANT EXECUTE ON FUNCTION fsgov.is_accepted TO fsgov_supervisor, fsgov_privacy, fsgov_auditor, fsgov_ops;
CREATE FUNCTION fsgov.enter_statement(p_day date, p_host text, p_tenant text, p_n integer, p_facts jsonb)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7377471) THEN
        RAISE EXCEPTION 'another sequencer is at work' USING ERRCODE = 'FG409';
    END IF;
    IF p_n <> (SELECT coalesce(max(n), 0) + 1 FROM fsgov.statements
               WHERE day = p_day AND host = p_host AND tenant = p_tenant) THEN
        RAISE EXCEPTION 'another statement of that day was made meanwhile' USING ERRCODE = 'FG409',
            DETAIL = format('%s %s %s', p_day, p_host, p_tenant);
    END IF;
    INSERT INTO fsgov.statements (day, host, tenant, n, facts) VALUES (p_day, p_host, p_tenant, p_n, p_facts);
END $$;
COMMENT ON FUNCTION fsgov.enter_statement IS
    'What a line statement.outcomes or statement.sessions says, as a row; in the transaction that enters the line.';
GRANT EXECUTE ON FUNCTION fsgov.enter_statement TO fsgov_keep;

CREATE FUNCTION fsgov.keep_says(p_host text, p_alarms jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, fsgov, pg_temp AS $$
    INSERT INTO fsgov.keepers (host, alarms) VALUES (p_host, p_alarms)
    ON CONFLICT (host) DO UPDATE SET alarms = excluded.alarms, heard_at = now()
$$;
COMMENT ON FUNCTION fsgov.keep_says IS 'The keep of this host lives, and these are its alarms.';
GRANT EXECUTE ON FUNCTION fsgov.keep_says TO fsgov_keep;

CREATE FUNCTION fsgov.keep_heard() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, fsgov, pg_temp AS $$ SELECT max(heard_at) FROM fsgov.keepers $$;
COMMENT ON FUNCTION fsgov.keep_heard IS 'For govern: the last sign of life of any keep; null where there never was one.';
GRANT EXECUTE ON FUNCTION fsgov.keep_heard TO fsgov_govern;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA fsgov FROM PUBLIC;
RESET ROLE;
RESET search_path;
