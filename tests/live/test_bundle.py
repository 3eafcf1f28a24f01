"""The evidence bundle: of a recording that lives and of one that is destroyed; every byte of it counts.

The oracle of the hand-made checks is sha256sum, openssl and age, as the bundle's own README uses them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fsgov import bundle, entries, evidence
from fsgov.bundle import layout
from fsgov.catalog import bundling
from fsgov.catalog.artefacts import Made
from fsgov.catalog.rotating import Rotating
from fsgov.cli.root import fsgov
from fsgov.envelope import Identity, Recipient, seal_bytes, wrap_identity
from fsgov.errors import Conflict, Damaged, FsgovError, NotFound
from fsgov.journal.sequencer import SIGNER, Sequencer
from fsgov.journal.signing import Signer
from fsgov.merkle import PublicKey, generate_signing_key, sign_note
from fsgov.policy import decide, describe, parse
from fsgov.policy.grounds import digest as inputs_digest
from fsgov.shipper.artefacts import Stowing
from fsgov.vault import Vault
from tests.live.cli import POLICY, environment_of, write_private
from tests.live.shipping import talk
from tests.parts import holds
from tests.parts.catalog import START, World, call_file, sidecar
from tests.parts.purging import Yard, file_vault
from tests.parts.schemas import faults

CALL = "0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab"
FIRST, SECOND = f"{CALL}-01", f"{CALL}-02"
SOUND = talk(700, silent=(100, 300))
SALT = "ab" * 16
DESK_KEY = Identity.generate(os.urandom)
KEY = generate_signing_key(os.urandom)
TRANSCRIPT = b"hallo"
YES = f"c-{CALL}-1"
CONSENT = {"id": YES, "party": 1, "purpose": "evidence", "state": "given", "method": "key",
           "mode": "opt_in", "at": START, "evidence": {"digit": "1", "prompt": "de"}}  # fmt: skip
NO = f"c-{CALL}-2"
WITHDRAWN = {**CONSENT, "id": NO, "purpose": "training", "state": "withdrawn", "at": START + 1}
RECIPIENT, REASON = "court of Berlin", "file 17 `C` 3"


@dataclass
class Place:
    """A catalog with one call whose life has lines, its vault, whoever asks for evidence; keep at work."""

    root: Path
    world: World
    signer: Signer
    vault: Vault
    origins: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> PublicKey:
        return self.signer.public

    def tell(self, origin: str, *told: tuple[str, str, dict[str, entries.Fact]]) -> None:
        """Lines as a host enters them: type, subject, facts."""
        first = self.origins.get(origin, 0) + 1
        lines = [
            entries.line(origin=origin, n=first + n, host="fs1", type_=type_, subject=subject, time=START + n,
                         facts=facts)
            for n, (type_, subject, facts) in enumerate(told)
        ]  # fmt: skip
        assert [fault for line in lines for fault in faults(line)] == []
        with self.world.ship.entering() as entering:
            self.origins[origin] = entering.lines(origin, first, lines)

    def fsgov(self, *words: str, who: str = "petra", code: int = 0) -> None:
        """A command, in this process: a start of Python for each costs more than all the rest."""
        before = signal.getsignal(signal.SIGTERM)
        with contextlib.chdir(self.root):
            done = CliRunner().invoke(fsgov, ["--config", f"{who}.toml", *words])
        signal.signal(signal.SIGTERM, before)
        ended = done.exception.exit_code if isinstance(done.exception, FsgovError) else done.exit_code
        assert ended == code, (done, done.output)

    def export(self, name: str, *words: str, id_: str = FIRST, who: str = "petra", code: int = 0) -> Path:
        self.fsgov(
            "recordings", "export", id_, "--evidence", "--purpose", "audit", "--reason", REASON,
            "--recipient", RECIPIENT, "--key", str(self.key), "--output", name, *words, who=who, code=code,
        )  # fmt: skip
        return self.root / name

    @contextmanager
    def keep(self) -> Iterator[None]:
        """The log goes on, and is signed whenever it grew, by who is the signer then."""
        stop = threading.Event()

        def run() -> None:
            signer = None
            while not stop.wait(0.05):
                if signer is not self.signer:
                    signer = self.signer
                    sequencer = Sequencer(self.world.keep, signer, lambda: time.time_ns() // 1000)
                with contextlib.suppress(Conflict):  # a new log: it begins again
                    sequencer.run_once(sign=True)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.fixture(scope="module")
def place(finished: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    finished.again()
    root = tmp_path_factory.mktemp("evidence")
    made = Place(root, finished, Signer(KEY), file_vault(root))
    for login, role, tenant in (
        ("petra", "privacy auditor", "*"),
        ("audrey", "auditor", "*"),
        ("sven", "supervisor", "*"),
        ("tess", "privacy", "default"),
        ("bob", "privacy", "*"),
        ("alice", "supervisor", "*"),
        ("ingo", "integrator", "*"),
    ):
        finished.person(login, *role.split(), tenants=[tenant])
        user, password = finished.logins[login]
        write_private(root / f"{login}.password", password)
        server = finished.dsn.rpartition("@")[2]
        (root / f"{login}.toml").write_text(
            f'[admin]\ndsn = "postgresql://{server}"\nuser = "{user}"\npassword = "file:{login}.password"\n'
            f'[vault.eu]\nurl = "file:{root}/audio"\n'
        )
    write_private(root / "identity.txt", f"{DESK_KEY}\n")
    live(made)
    with made.keep():
        yield made
    finished.close()


def live(place: Place) -> None:
    """A call: asked, a yes, two recordings with a pause, checked, stored; a transcript of one of them."""
    policy = parse(POLICY)
    inputs = describe(caller="+493012345", dialled="+493090182012", call=CALL)
    vault = place.vault
    consents = {YES: evidence.digest(**{**{k: v for k, v in CONSENT.items() if k != "id"}, "call": CALL,
                                          "consent": YES})}  # type: ignore[arg-type]  # fmt: skip
    with place.world.ship.entering() as entering:
        entering.policy(policy.version, POLICY)
        entering.call(json.dumps(call_file(
            CALL, policy={"version": policy.version, "sha256": policy.sha256}, inputs=inputs.to_json(),
            inputs_salt=SALT, decision=decide(policy, inputs).to_json(), outcome="recorded",
            ended=START + 9_000_000, consents=[CONSENT, WITHDRAWN], segments=[FIRST, SECOND],
        )))  # fmt: skip
    digests = {}
    for segment in (FIRST, SECOND):
        own = Identity.generate(os.urandom)
        sealed = seal_bytes(SOUND, [own.recipient], os.urandom)
        digests[segment] = hashlib.sha256(sealed).hexdigest()
        stored = vault.audio.put_bytes(f"default/2026/11/{segment}.age", sealed, {})
        wrapped = wrap_identity(own, [DESK_KEY.recipient], os.urandom)
        vault.keys.put_bytes(f"keys/{segment}", wrapped, {})
        document = sidecar(
            segment, policy=policy.sha256, consents=[YES], evidence=consents, purposes=["evidence"],
            masks=[{"by": "mask", "from_ms": 100, "to_ms": 300, "asked": START, "acknowledged": START + 1,
                    "ended": START + 2, "actor": None}],
            reported_ms=700, reported_size=len(SOUND),
        )  # fmt: skip
        document["checked"] |= {"ms": 700, "size": len(SOUND), "sha256": hashlib.sha256(SOUND).hexdigest()}
        document["sealed"] |= {"recipient": str(own.recipient)}
        document["stored"] |= {
            "sha256": digests[segment],
            "size": len(sealed),
            "version_id": stored.version_id,
        }
        with place.world.ship.entering() as entering:
            entering.segment(json.dumps(document), wrapped)
    decided = decide(policy, inputs)
    given: dict[str, entries.Fact] = {
        "consent": YES,
        "party": 1,
        "purpose": "evidence",
        "method": "key",
        "mode": "opt_in",
    }
    place.tell(
        "fs1.govern.1",
        ("call.opened", CALL, {"tenant": "default", "leg_direction": "inbound"}),
        ("call.opened", "another", {"tenant": "default", "leg_direction": "inbound"}),
        ("call.decided", CALL, {
            "rule": decided.rule, "policy": policy.sha256, "version": policy.version, "direction": "inbound",
            "record": "always", "sampled": True, "consent": "none", "floors": [], "curbs": [],
            "purposes": ["evidence"],
            "inputs": inputs_digest(SALT, [{"policy": policy.sha256, "inputs": inputs.to_json()}]),
        }),
        ("consent.given", CALL, dict(given)),
        ("consent.withdrawn", CALL, given | {"consent": NO, "purpose": "training"}),
        *(("segment.opened", f"{CALL}-{n:02}", {
            "call": CALL, "leg": "a", "n": n, "rule": decided.rule, "purposes": ["evidence"],
            "consents": [YES], "armed": False, "start_lost_ms": 60}) for n in (1, 2)),
        ("call.over", CALL, {"outcome": "recorded", "cause": "", "segments": [FIRST, SECOND]}),
    )  # fmt: skip
    place.tell("fs1.ship.1", *(
        told for segment in (FIRST, SECOND) for told in (
            ("segment.checked", segment, {
                "call": CALL, "frames": 5600, "ms": 700, "size": len(SOUND), "truncated": False, "lost_ms": 0,
                "sha256": hashlib.sha256(SOUND).hexdigest(), "mask_proof": "proven", "findings": []}),
            ("segment.stored", segment, {
                "call": CALL, "vault": "eu", "size": 1, "sha256": digests[segment]}),
        )
    ))  # fmt: skip
    desk = place.world.desk("ingo")
    for segment in (FIRST, SECOND):
        content = seal_bytes(
            TRANSCRIPT, [Recipient.parse(str(desk.artefacts.recipient(segment)))], os.urandom
        )
        digest = hashlib.sha256(TRANSCRIPT).hexdigest()
        made = Made(segment, "transcript", "text/plain", "evidence", "", len(TRANSCRIPT), digest, content)
        desk.artefacts.attach(made)
    Stowing(place.world.ship, {"eu": vault.audio}).run_once()
    place.world.sql("petra", holds.PLACE, values=[holds.items(segment=FIRST)])
    with (
        closing(Rotating(place.world.as_person("petra"))) as petra,
        closing(Rotating(place.world.as_person("bob"))) as bob,
    ):
        rotation = petra.ask_for("eu", [Identity.generate(os.urandom).recipient.fingerprint], "why")
        bob.approve(rotation)
        assert petra.ask(rotation, "wrap", "", 10) is not None
        petra.undo(rotation)


@pytest.fixture(scope="module")
def whole(place: Place) -> Path:
    """With audio: made by privacy, with an identity."""
    return place.export("whole", "--identity", "identity.txt")


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def names(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


# -- what is in it ---------------------------------------------------------------------------------------


def test_it_has_everything_of_the_recording_and_proves_it(place: Place, whole: Path) -> None:
    report = bundle.verify(whole, [place.key])
    assert (report.call, report.segments) == (CALL, (FIRST,))
    proven = {each.what: each.says for each in report.proven}
    assert proven["decision"] == "rule german service line, inputs as the log tells, decided again: the same"
    assert proven[f"audio of {FIRST}"] == "as the switch wrote it, and what the sealed object holds"
    assert proven[f"pauses of {FIRST}"] == "silent in the audio"
    assert proven[f"consents of {FIRST}"] == "1 as they were when it was opened"
    assert proven[f"digests of {FIRST}"] == "audio and sealed object: as the log tells"
    assert proven["accesses"].startswith("1, ")
    assert proven["artefacts"].startswith("1, ")
    assert proven["rotations"] == "its key was given out 1 times, as the log tells"
    assert proven["holds"] == "1, 0 of them released, as the log tells"
    assert (whole / f"recordings/{FIRST}.wav").read_bytes() == SOUND
    rows = json.loads((whole / layout.ROWS).read_text())
    assert [row["e164"] for row in rows["parties"]] == ["+493012345"]
    assert [(row["reason"], row["recipient"]) for row in rows["accesses"]] == [(REASON, RECIPIENT)]
    told = [json.loads(line)["type"] for line in (whole / layout.LINES).read_text().splitlines()]
    assert "fsgov.call.over.v1" in told
    assert "fsgov.artefact.attached.v1" in told
    assert "another" not in (whole / layout.LINES).read_text()
    assert (whole.stat().st_mode & 0o077) == 0
    assert not [path for path in place.root.iterdir() if path.name.endswith(".part")]


def test_no_table_about_a_recording_is_left_out(place: Place) -> None:
    found = place.world.sql("admin", """SELECT DISTINCT table_name::text FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'fsgov' AND table_type = 'BASE TABLE'
            AND column_name IN ('call', 'segment', 'segments')""")  # fmt: skip
    assert {name for (name,) in found} <= {*bundling.TABLES, *bundling.APART}


def test_the_log_knows_it_and_who_got_it_stands_in_the_row(place: Place, whole: Path) -> None:
    ((id_, segments, sha256, recipient),) = place.world.sql(
        "admin", "SELECT id, segments, sha256, recipient FROM fsgov.bundles WHERE reason = %s LIMIT 1",
        values=(REASON,),
    )  # fmt: skip
    line = json.loads((whole / layout.ANCHOR).read_bytes())
    assert faults((whole / layout.ANCHOR).read_bytes()) == []
    assert (line["subject"], line["data"]["segments"]) == (id_, segments)
    assert line["data"]["sha256"] == sha256 == hashlib.sha256((whole / layout.SUMS).read_bytes()).hexdigest()
    assert recipient == RECIPIENT
    assert RECIPIENT not in json.dumps(line)


def test_without_an_identity_nothing_is_opened(place: Place) -> None:
    before = place.world.sql("admin", "SELECT count(*) FROM fsgov.accesses")
    sealed = place.export("sealed", id_=CALL, who="audrey")
    assert place.world.sql("admin", "SELECT count(*) FROM fsgov.accesses") == before
    assert {name for name in names(sealed) if name.startswith(("recordings/", "keys/"))} == {
        f"recordings/{FIRST}.age", f"recordings/{SECOND}.age",
    }  # fmt: skip
    report = bundle.verify(sealed, [place.key])
    assert report.segments == (FIRST, SECOND)
    assert {each.says for each in report.proven if each.what.startswith("audio")} == {"sealed, not opened"}


@pytest.mark.parametrize(
    ("words", "who", "code"),
    [
        (("--identity", "identity.txt"), "sven", 5),
        ((), "tess", 5),
        (("--key", str(PublicKey.of(SIGNER, generate_signing_key(os.urandom)))), "petra", 8),
        (("--identity", "identity.txt"), "bob", 5),
    ],
)
def test_what_is_refused_leaves_nothing(place: Place, words: tuple[str, ...], who: str, code: int) -> None:
    before = {*place.root.iterdir()}
    count = "SELECT (SELECT count(*) FROM fsgov.bundles), (SELECT count(*) FROM fsgov.accesses)"
    done = place.world.sql("admin", count)
    place.export("refused", *words, who=who, code=code)
    assert {*place.root.iterdir()} == before
    assert place.world.sql("admin", count) == done


# -- every byte counts -----------------------------------------------------------------------------------


def test_each_file_that_is_changed_is_found(place: Place, copy: Path) -> None:
    assert {*layout.PROOF, layout.SUMS, layout.ROWS, layout.README} <= names(copy)
    assert len(names(copy)) == 17
    for name in sorted(names(copy)):
        content = (copy / name).read_bytes()
        for at in {0, len(content) // 2, len(content) - 1}:
            for flip in (0x01, 0x20):
                changed = bytearray(content)
                changed[at] ^= flip
                (copy / name).write_bytes(changed)
                with pytest.raises(Damaged):
                    bundle.verify(copy, [place.key])
        for changed_ in (content[:-1], content + b"\n", b""):
            (copy / name).write_bytes(changed_)
            with pytest.raises(Damaged):
                bundle.verify(copy, [place.key])
        (copy / name).unlink()
        with pytest.raises((Damaged, NotFound)):
            bundle.verify(copy, [place.key])
        (copy / name).write_bytes(content)
    bundle.verify(copy, [place.key])


def test_a_file_that_is_changed_with_its_digest_is_found(place: Place, copy: Path) -> None:
    path = copy / layout.ROWS
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes().replace(b"+493012345", b"+493099999"))
    sums = (copy / layout.SUMS).read_text()
    (copy / layout.SUMS).write_text(sums.replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    with pytest.raises(Damaged, match="not the list that the log tells"):
        bundle.verify(copy, [place.key])


@pytest.mark.parametrize("name", ["recordings/other.wav", "proof/other.txt", "other", "log/other.jsonl"])
def test_a_file_that_nobody_signed_is_found(place: Place, copy: Path, name: str) -> None:
    (copy / name).write_text("{}")
    with pytest.raises(Damaged, match=r"nobody signed it"):
        bundle.verify(copy, [place.key])


def test_a_link_is_no_file_of_a_bundle(place: Place, copy: Path, tmp_path: Path) -> None:
    (copy / layout.ROWS).rename(tmp_path / "rows.json")
    (copy / layout.ROWS).symlink_to(tmp_path / "rows.json")
    with pytest.raises(Damaged):
        bundle.verify(copy, [place.key])


def test_another_key_proves_nothing(place: Place, copy: Path) -> None:
    """Whoever signs everything again with a key of his own has changed who signed."""
    mine = generate_signing_key(os.urandom)
    text = (copy / layout.SIGNED).read_text()
    note = sign_note(text, SIGNER, mine)
    public = PublicKey.of(SIGNER, mine)
    for name, content in {
        layout.NOTE: note, layout.SIGNATURE: mine.sign(text.encode()), layout.KEY: f"{public}\n".encode(),
        layout.KEY_PEM: layout.pem(public).encode(),
    }.items():  # fmt: skip
        (copy / name).write_bytes(content)
    with pytest.raises(Damaged, match="no known key"):
        bundle.verify(copy, [place.key])
    with pytest.raises(Damaged):
        bundle.verify(copy, [public])


def test_a_second_signature_is_found(place: Place, copy: Path) -> None:
    """Nobody could verify it, so it could say anything."""
    with (copy / layout.NOTE).open("ab") as note:
        note.write("\u2014 other AAAAAAA=\n".encode())
    with pytest.raises(Damaged, match="somebody else"):
        bundle.verify(copy, [place.key])


# -- rows that were changed, and everything signed again by whoever has the key of the log -----------------


@dataclass
class Forged:
    """A bundle whose maker signs whatever is in it: only what older lines tell can contradict it."""

    directory: Path
    key: Any = field(default_factory=lambda: generate_signing_key(os.urandom))

    def rows(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.directory / layout.ROWS
        rows = json.loads(path.read_text())
        change(rows)
        path.write_text(json.dumps(rows))
        self.sign()

    def sign(self) -> PublicKey:
        from fsgov.merkle import Checkpoint, inclusion_proofs, leaf_hash

        public = PublicKey.of(SIGNER, self.key)
        old = Checkpoint.parse((self.directory / layout.SIGNED).read_text())
        self.write(layout.KEY, f"{public}\n".encode())
        self.write(layout.KEY_PEM, layout.pem(public).encode())
        sums = layout.sums_text({
            name: hashlib.sha256((self.directory / name).read_bytes()).hexdigest()
            for name in names(self.directory) - layout.PROOF - {layout.SUMS}
        }).encode()  # fmt: skip
        self.write(layout.SUMS, sums)
        anchor = json.loads((self.directory / layout.ANCHOR).read_bytes())
        anchor["data"]["sha256"] = hashlib.sha256(sums).hexdigest()
        line = json.dumps(anchor, separators=(",", ":")).encode()
        self.write(layout.ANCHOR, line + b"\n")
        lines = [*(self.directory / layout.LINES).read_bytes().splitlines(), line]
        size, root, proofs = inclusion_proofs(map(leaf_hash, lines), range(len(lines)))
        ways = [layout.Way(n, tuple(proofs[n])) for n in range(size)]
        self.write(layout.PATHS, layout.paths_text(size, ways).encode())
        text = Checkpoint(old.log_id, size, root, old.time).text()
        self.write(layout.SIGNED, text.encode())
        self.write(layout.SIGNATURE, self.key.sign(text.encode()))
        self.write(layout.NOTE, sign_note(text, SIGNER, self.key))
        return public

    def write(self, name: str, content: bytes) -> None:
        (self.directory / name).write_bytes(content)

    def verify(self) -> bundle.Report:
        return bundle.verify(self.directory, [PublicKey.of(SIGNER, self.key)])


def changed(table: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def change(rows: dict[str, Any]) -> None:
        rows[table][0] |= values

    return change


def without(table: str) -> Callable[[dict[str, Any]], None]:
    return lambda rows: rows[table].clear()


def another_input(rows: dict[str, Any]) -> None:
    inputs = rows["calls"][0]["inputs"]
    inputs["parties"][0]["e164"] = "+493099999"


FORGERIES = {
    "consent given by another party": (changed("consents", party=2), f"consent {YES}"),
    "evidence of a consent": (changed("consents", evidence={"digit": "9"}), f"consent {YES} is not what"),
    "a refusal that became a yes": (changed("consents", state="refused"), f"consent {YES} is not what"),
    "consent not there": (without("consents"), "has no row"),
    "a withdrawal that was left out": (lambda rows: rows["consents"].pop(), f"consent {NO} has no row"),
    "a withdrawal that became a yes": (
        lambda rows: rows["consents"][1].update(state="given"), f"consent {NO} is not what the log"),
    "another outcome": (changed("calls", outcome="refused"), "another outcome"),
    "pauses that nobody proved": (changed("segments", mask_proof="none"), "found otherwise"),
    "a hold that was left out": (without("holds"), "has no row"),
    "rests on no consent": (changed("segments", consents=[], evidence={}), "rests on other consents"),
    "another rule": (changed("calls", rule="rest"), "another rule"),
    "another decision": (changed("calls", decision={"rule": "german service line"}), "do not lead to it"),
    "another caller": (another_input, "not those that the log tells"),
    "another policy": (changed("segments", policy_sha256="ab" * 32), "it is missing"),
    "digest of the audio": (changed("segments", audio_sha256="ab" * 32), "another digest"),
    "digest of the sealed object": (changed("segments", sealed_sha256="ab" * 32), "another digest"),
    "an access that was left out": (without("accesses"), "has no row"),
    "an access for another purpose": (changed("accesses", purpose="evidence"), "is not the one"),
    "an artefact that was left out": (without("artefacts"), "has no row"),
    "a key that was given out to more than the log tells": (
        changed("rotation_batches", segments=[FIRST]), "has no line"),
    "another artefact": (changed("artefacts", sealed_sha256="ab" * 32), "is not the one"),
    "a hold that was released": (changed("holds", released_at="2026-11-22T00:00Z"), "is not what the log"),
    "a hold that nobody placed": (changed("holds", id="h-abcdefghijkl"), "is not what the log"),
    "a pause somewhere else": (changed("masks", from_ms=300, to_ms=500), "not silent"),
    "another call": (changed("calls", call="another"), "its call is another"),
    "another recording": (changed("segments", segment=SECOND), "others than those"),
    "said to be destroyed": (changed("segments", state="destroyed"), "not what its lines"),
    "a row of nothing": (lambda rows: rows["consents"][0].clear(), "are not those of fsgov"),
    "a row that is none": (lambda rows: rows["accesses"].append("x"), "are not those of fsgov"),
}  # fmt: skip


def test_what_is_signed_again_unchanged_holds(copy: Path) -> None:
    forged = Forged(copy)
    forged.rows(lambda rows: None)
    forged.verify()


@pytest.mark.parametrize("name", FORGERIES)
def test_a_row_that_contradicts_a_line_is_found_though_everything_is_signed(copy: Path, name: str) -> None:
    change, words = FORGERIES[name]
    forged = Forged(copy)
    forged.rows(change)
    with pytest.raises(Damaged) as fault:
        forged.verify()
    assert words in str(fault.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (f"recordings/{FIRST}.wav", talk(700), "not the audio"),
        (f"recordings/{FIRST}.age", b"other", "not the object"),
        (f"keys/{FIRST}.txt", f"{DESK_KEY}\n".encode(), "not what the sealed object holds"),
    ],
    ids=["audio", "object", "key"],
)
def test_audio_that_is_not_what_was_recorded_is_found(
    copy: Path, name: str, content: bytes, words: str
) -> None:
    forged = Forged(copy)
    forged.write(name, content)
    forged.sign()
    with pytest.raises(Damaged, match=words):
        forged.verify()


def test_what_is_attached_comes_out_again(place: Place) -> None:
    """By the commands: sealed by one who cannot open, written to a file by one who may."""
    score = place.root / "score.json"
    score.write_text('{"score": 7}')
    place.fsgov(
        "recordings", "attach", FIRST, "score.json", "--kind", "score", "--purpose", "evidence", who="ingo"
    )
    made = place.world.desk("sven").artefacts.of([FIRST])
    (artefact,) = [each.artefact for each in made if each.kind == "score"]
    Stowing(place.world.ship, {"eu": place.vault.audio}).run_once()
    place.fsgov(
        "recordings", "export", artefact, "--purpose", "evidence", "--reason", "x", "--output", "scores",
        "--identity", "identity.txt", "--recipient", "the trainer", who="sven",
    )  # fmt: skip
    assert (place.root / "scores" / f"{artefact}.json").read_bytes() == score.read_bytes()
    manifest = json.loads((place.root / "scores" / f"{artefact}.json.json").read_text())
    assert (manifest["segment"], manifest["purpose"], manifest["made_for"]) == (FIRST, "evidence", "evidence")
    assert manifest["recipient"] == "the trainer"
    asked = "SELECT recipient FROM fsgov.accesses WHERE id = %s"
    assert place.world.sql("admin", asked, values=[manifest["access"]]) == [("the trainer",)]


def test_one_that_is_wrong_is_detached_by_two_and_not_under_a_hold(place: Place) -> None:
    (artefact, *_) = [each.artefact for each in place.world.desk("sven").artefacts.of([FIRST])]
    detach = ("recordings", "detach", artefact)
    place.fsgov(*detach, "--approve", "--yes", who="bob", code=7)  # nobody has asked
    place.fsgov(*detach, "--reason", "of another call", who="sven")
    place.fsgov(*detach, "--approve", "--yes", who="sven", code=5)
    place.fsgov(*detach, "--approve", "--yes", who="bob", code=7)
    assert place.world.desk("bob").artefacts.asked_why(artefact) == "of another call"
    assert place.world.desk("bob").artefacts.one(artefact).state == "stored"


# -- its end ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def destroyed(place: Place, whole: Path) -> Path:
    """The second recording, by a plan of two persons for both: the first is held."""
    yard = Yard(place.world, place.vault, [FIRST, SECOND])
    yard.plan([FIRST, SECOND])
    assert yard.apply() == 1
    return place.export("destroyed", id_=SECOND)


def test_the_end_of_a_recording_is_proven_by_its_certificate(place: Place, destroyed: Path) -> None:
    report = bundle.verify(destroyed, [place.key])
    proven = {each.what: each.says for each in report.proven}
    assert proven[f"end of {SECOND}"].startswith("destroyed: named, at 20")
    assert proven[f"audio of {SECOND}"] == "destroyed"
    assert proven[f"digests of {SECOND}"].endswith("as the log tells")
    assert not [name for name in names(destroyed) if name.startswith(("recordings/", "keys/", "artefacts/"))]
    body = json.loads((destroyed / f"certificates/{SECOND}.json").read_bytes())
    assert body["segment"] == SECOND
    rows = json.loads((destroyed / layout.ROWS).read_text())
    assert {row["id"] for row in rows["plans"]} == {body["plan"]}


def test_what_was_made_of_it_does_not_outlive_it(place: Place, destroyed: Path) -> None:
    left = [each.key for each in place.vault.audio.list() if SECOND in each.key]
    assert left == []
    assert f"default/2026/11/{SECOND}/" in json.dumps(json.loads(
        (destroyed / f"certificates/{SECOND}.json").read_bytes())["removed"])  # fmt: skip
    (made,) = place.world.desk("ingo").artefacts.of([SECOND])
    assert (made.state, made.sha256) == ("destroyed", None)
    held = Yard(place.world, place.vault).keys()
    assert SECOND not in held
    assert {made.state for made in place.world.desk("ingo").artefacts.of([FIRST])} == {"stored"}
    place.fsgov(
        "recordings", "attach", SECOND, "identity.txt", "--kind", "score", "--purpose", "evidence", code=7
    )
    place.fsgov("recordings", "export", made.artefact, "--purpose", "audit", "--reason", "x", "--output", "o",
                "--identity", "identity.txt", code=7)  # fmt: skip


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("segments", {"state": "stored"}, "not what its lines"),
        ("artefacts", {"sealed_sha256": "ab" * 32}, "is not the one"),
    ],
)
def test_a_destroyed_recording_does_not_live_again(
    destroyed: Path, tmp_path: Path, table: str, values: dict[str, str], words: str
) -> None:
    forged = Forged(Path(shutil.copytree(destroyed, tmp_path / "copy")))
    forged.rows(changed(table, **values))
    with pytest.raises(Damaged, match=words):
        forged.verify()


def test_another_certificate_is_none(destroyed: Path, tmp_path: Path) -> None:
    forged = Forged(Path(shutil.copytree(destroyed, tmp_path / "copy")))
    name = f"certificates/{SECOND}.json"
    body = json.loads((forged.directory / name).read_bytes())
    forged.write(name, json.dumps({**body, "cause": "expired"}).encode())
    forged.sign()
    with pytest.raises(Damaged, match="not the certificate"):
        forged.verify()
    (forged.directory / name).unlink()
    forged.sign()
    with pytest.raises(Damaged, match="not what its lines and certificate"):
        forged.verify()


# -- where nothing else is ---------------------------------------------------------------------------------

ALONE = """import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("psycopg2", "minio", "urllib3", "gevent", "greenswitch", "falcon"):
            raise ImportError(f"there is no {name} here")
sys.meta_path.insert(0, Nothing())
import socket
def refused(*words): raise OSError("there is no network here")
socket.socket.connect = socket.getaddrinfo = refused
from fsgov.cli import main
main()
"""


def test_it_is_verified_on_a_fresh_machine(place: Place, whole: Path, tmp_path: Path) -> None:
    """No configuration, no database client, no network, nothing but the bundle and a key."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, "recordings", "prove", str(whole), "--key", str(place.key), "--json"],
        cwd=tmp_path, env=environment_of(HOME=str(tmp_path)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert (found["call"], found["segments"]) == (CALL, [FIRST])
    assert [*tmp_path.iterdir()] == []


BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def by_hand(directory: Path, code: int = 0) -> str:
    """What the steps of the README say, each as it is written; the first that fails ends it."""
    blocks = BLOCK.findall((directory / layout.README).read_text())
    script = "set -eu -o pipefail\n" + "".join(
        block for block in blocks if "age --decrypt" not in block or shutil.which("age")
    )
    done = subprocess.run(["bash", "-c", script], cwd=directory, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (code == 0), done
    return done.stdout


@pytest.mark.installed("openssl")
def test_the_steps_of_its_readme_prove_it_with_public_tools(whole: Path) -> None:
    said = by_hand(whole)
    assert "Signature Verified Successfully" in said
    assert said.count("is in the log") == len((whole / layout.PATHS).read_text().splitlines())
    assert said.count("is what was stored") == 2
    assert said.count("is what decided") == 1
    assert not shutil.which("age") or "was sealed as it is" in said
    page = (whole / layout.README).read_text()
    assert RECIPIENT in page
    assert "file 17 'C' 3" in page
    assert "@" not in page


@pytest.mark.installed("openssl")
def test_the_steps_of_its_readme_prove_the_end(destroyed: Path) -> None:
    said = by_hand(destroyed)
    assert f'"{SECOND}"' in said  # the certificate, shown


@pytest.mark.installed("openssl")
@pytest.mark.parametrize("name", [layout.LINES, f"recordings/{FIRST}.wav", "other"])
def test_the_steps_of_its_readme_find_what_was_changed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes() if name != "other" else b"-")
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    by_hand(copy, code=1)


@pytest.mark.installed("openssl")
@pytest.mark.parametrize(
    ("more", "end"),
    [([], "\n"), (["9 none"], "\n"), ([], "")],
    ids=["no way", "a way of no steps", "a line without its end"],
)
def test_the_steps_of_its_readme_believe_no_line_that_was_not_signed(
    copy: Path, more: list[str], end: str
) -> None:
    """Whoever got a bundle changes a row, and makes list and line fit it; only the way of that line lacks."""
    (copy / layout.ROWS).write_text((copy / layout.ROWS).read_text().replace("+493012345", "+493099999"))
    sums = layout.read_sums((copy / layout.SUMS).read_text())
    sums[layout.ROWS] = hashlib.sha256((copy / layout.ROWS).read_bytes()).hexdigest()
    (copy / layout.SUMS).write_text(layout.sums_text(sums))
    line = json.loads((copy / layout.ANCHOR).read_text())
    line["data"]["sha256"] = hashlib.sha256((copy / layout.SUMS).read_bytes()).hexdigest()
    (copy / layout.ANCHOR).write_text(json.dumps(line, separators=(",", ":")) + end)
    *ways, _ = (copy / layout.PATHS).read_text().splitlines()
    (copy / layout.PATHS).write_text("".join(f"{way}\n" for way in (*ways, *more)))
    by_hand(copy, code=1)


# -- after another key, and after a restore --------------------------------------------------------------


def test_whoever_has_the_key_before_or_the_one_after_verifies_what_is_made_after_a_handover(
    place: Place, destroyed: Path, tmp_path: Path
) -> None:
    """Certificates, too. From here on another key signs."""
    before, prior = place.key, KEY
    place.signer = Signer(generate_signing_key(os.urandom), prior)
    after = place.key
    place.tell("fs1.govern.1", ("call.opened", "later", {"tenant": "default", "leg_direction": "inbound"}))
    note = "SELECT note FROM fsgov.checkpoints ORDER BY size DESC LIMIT 1"
    until = time.monotonic() + 60
    while str(after) not in place.world.sql("admin", note)[0][0]:
        assert time.monotonic() < until
        time.sleep(0.05)
    for name, given in (("handed", before), ("current", after)):
        made = place.export(name, "--key", str(given), id_=SECOND)
        for keys in ([before], [after], [before, after]):
            assert bundle.verify(made, keys).segments == (SECOND,)
        assert (made / layout.KEY).read_text().strip() == str(after)
        with pytest.raises(Damaged, match="no known key"):
            bundle.verify(made, [PublicKey.of(SIGNER, generate_signing_key(os.urandom))])
    if shutil.which("openssl"):
        by_hand(made)
    (made / layout.HANDOVERS).unlink()
    with pytest.raises(Damaged):
        bundle.verify(made, [after])
    with pytest.raises(Damaged, match="no known key"):
        bundle.verify(made, [before])
    with pytest.raises(Damaged, match="no known key"):  # it was signed before the handover
        bundle.verify(destroyed, [after])

    place.fsgov("purge", "certificate", SECOND, who="tess", code=5)  # who sees no log
    place.fsgov("purge", "certificate", SECOND, "--output", "certificate.json")
    for given in (before, after):
        place.fsgov("purge", "certificate", "--verify", "certificate.json", "--key", str(given))
    file = place.root / "certificate.json"
    said = json.loads(file.read_text())
    assert len(said["handovers"]) == 1
    file.write_text(json.dumps({**said, "handovers": []}, separators=(",", ":")))
    place.fsgov("purge", "certificate", "--verify", "certificate.json", "--key", str(after))
    place.fsgov("purge", "certificate", "--verify", "certificate.json", "--key", str(before), code=8)


def test_lines_of_a_log_that_ended_with_a_restore_are_proven_too(place: Place, destroyed: Path) -> None:
    """The last test of this file: from here on another log is written."""
    ((before,),) = place.world.sql("admin", "SELECT fsgov.current_log()")
    place.world.sql(
        "admin",
        "SELECT fsgov.open_log(log_id, size, root) FROM fsgov.checkpoints ORDER BY size DESC LIMIT 1",
    )
    later = place.export("later")
    former = {f"former/{before}.{suffix}" for suffix in ("jsonl", "paths", "checkpoint")}
    assert former <= names(later)
    report = bundle.verify(later, [place.key])
    assert report.log_id != before
    proven = {each.what: each.says for each in report.proven}
    assert proven[f"digests of {FIRST}"] == "audio and sealed object: as the log tells"
    told = [json.loads(line) for line in (later / layout.LINES).read_text().splitlines()]
    assert [line["data"]["prior_log"] for line in told if line["type"] == "fsgov.log.opened.v1"] == [before]
    if shutil.which("openssl"):
        by_hand(later)
    forged = Forged(later)
    forged.sign()
    with pytest.raises(Damaged, match="no known key"):  # whoever signs again cannot sign the former log
        forged.verify()
    both = [place.key, PublicKey.of(SIGNER, forged.key)]
    bundle.verify(later, both)
    for name in former:
        content = bytearray((later / name).read_bytes())
        content[len(content) // 2] ^= 1
        (later / name).write_bytes(content)
        forged.sign()
        with pytest.raises(Damaged):
            bundle.verify(later, both)
        content[len(content) // 2] ^= 1
        (later / name).write_bytes(content)
