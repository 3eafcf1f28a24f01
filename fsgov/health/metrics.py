"""Every metric there is, and how they are collected: counters are plain numbers until somebody scrapes.

Names follow Prometheus' habit: `fsgov_`, base units, `_total` for what only grows. No label tells a call, a
number or a person. docs/metrics.md shows this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from fsgov import __version__
from fsgov.health.spread import Spread
from fsgov.health.vitals import Labels, Readings, Vitals, by, one

GOVERN, SHIP, KEEP = ("govern",), ("ship",), ("keep",)
HOST = GOVERN + SHIP
EVERY = HOST + KEEP


class Kind(Enum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: its name, kind, labels, which parts export it, and what it counts."""

    name: str
    kind: Kind
    labels: Labels
    parts: tuple[str, ...]
    help: str


TABLE = (
    Row("fsgov_build_info", G, ("version", "part"), EVERY, "Which fsgov this is; always 1."),
    Row("fsgov_alarms", G, ("alarm",), EVERY, "Alarms that are up, by row of the alarms' table."),
    Row("fsgov_ready", G, ("check",), EVERY, "1 where what the part needs is there, as /readyz says."),
    Row("fsgov_loop_age_seconds", G, (), EVERY, "Since the part's loop was last seen going round."),
    # -- govern
    Row("fsgov_policy_info", G, ("version", "sha256"), GOVERN, "The policy in force; always 1."),
    Row("fsgov_switch_connected", G, (), GOVERN, "1 while the switch is listened to and resynced."),
    Row("fsgov_switch_connects_total", C, (), GOVERN, "Connections made to listen to the switch."),
    Row("fsgov_switch_losses_total", C, (), GOVERN, "Connections of those that were lost."),
    Row(
        "fsgov_switch_faults_total",
        C,
        ("reason",),
        GOVERN,
        "What was wrong with the listening connection: silent, lagged (events were dropped), malformed,"
        " strays.",
    ),
    Row("fsgov_pool_idle_connections", G, (), GOVERN, "Command connections that wait for a command."),
    Row(
        "fsgov_pool_faults_total",
        C,
        ("reason",),
        GOVERN,
        "Command connections: unanswered, late (a reply after its deadline), replaced.",
    ),
    Row("fsgov_events_total", C, ("event",), GOVERN, "Events that reached the core, by kind."),
    Row(
        "fsgov_events_distrusted_total",
        C,
        ("reason",),
        GOVERN,
        "Events of the switch that were not taken at their word: forged (a client's sendevent), unreadable,"
        " injected (a key no caller pressed), repeated (a leg with two uuids).",
    ),
    Row("fsgov_events_ignored_total", C, (), GOVERN, "Events that belonged to no conversation."),
    Row("fsgov_intake_events", G, (), GOVERN, "Events that wait for the core."),
    Row("fsgov_calls", G, ("stage",), GOVERN, "Live conversations, by what is known of them."),
    Row("fsgov_captures", G, ("state",), GOVERN, "Live conversations, by what the switch has confirmed."),
    Row("fsgov_calls_total", C, ("outcome",), GOVERN, "Conversations that ended, by outcome."),
    Row("fsgov_entries_total", C, ("type",), GOVERN, "Entries for the event log that govern has made."),
    Row(
        "fsgov_recorder_commands_total",
        C,
        ("command", "result"),
        GOVERN,
        "Recorder commands (open, close, mask, unmask, inspect): accepted, refused, unanswered, spool (not"
        " sent: the disk refused), taken (not sent: the number is used).",
    ),
    Row("fsgov_recorder_reply_seconds", H, (), GOVERN, "From a recorder command on the wire to its +OK."),
    Row(
        "fsgov_recorder_start_seconds",
        H,
        (),
        GOVERN,
        "From the event that called for a recording (an answer, a yes) to its start on the wire.",
    ),
    Row(
        "fsgov_segment_start_lost_seconds",
        H,
        (),
        GOVERN,
        "What recordings lack at their start: since each was allowed and wanted, until its first frame.",
    ),
    Row("fsgov_paused_calls", G, (), GOVERN, "Live conversations whose recording somebody paused."),
    Row("fsgov_pause_age_seconds", G, (), GOVERN, "Age of the oldest pause, 0 without one."),
    Row("fsgov_ungoverned_sessions_total", C, (), GOVERN, "Sessions of the switch that fsgov never saw."),
    Row(
        "fsgov_party_lookups_total",
        C,
        ("result",),
        GOVERN,
        "Parties to be looked up in the CRM: found, unknown (nobody has the number), deadline, unreachable,"
        " refused, unreadable (what it says is no answer), held (not asked: it has not answered others).",
    ),
    Row(
        "fsgov_party_lookup_seconds", H, (), GOVERN, "How long the CRM was asked, with or without an answer."
    ),
    Row(
        "fsgov_party_remembered_total",
        C,
        (),
        GOVERN,
        "Look-ups without an answer for which that of the last 24 hours stood in.",
    ),
    Row("fsgov_spool_free_bytes", G, (), HOST, "What may still be written to the spool's disk."),
    Row("fsgov_spool_size_bytes", G, (), HOST, "Size of the spool's disk."),
    # -- ship
    Row("fsgov_spool_segments", G, ("state",), SHIP, "Segments in the spool, by state of the sidecar."),
    Row("fsgov_spool_waiting_segments", G, (), SHIP, "Segments that ship still has to do something with."),
    Row("fsgov_spool_oldest_waiting_seconds", G, (), SHIP, "Since the oldest of those was closed, else 0."),
    Row("fsgov_spool_unentered_bytes", G, (), SHIP, "Entries in the spool that the catalog does not have."),
    Row(
        "fsgov_ship_step_seconds",
        H,
        ("step",),
        SHIP,
        "How long a step took that succeeded: check, seal, store (the upload), lock, enter, discard.",
    ),
    Row(
        "fsgov_ship_failures_total",
        C,
        ("step",),
        SHIP,
        "Steps that failed; also entries (call files and lines), probe (an idle part asked for a sign).",
    ),
    Row("fsgov_stored_bytes_total", C, (), SHIP, "Sealed bytes that vaults have taken."),
    # -- keep
    Row("fsgov_log_leading", G, (), KEEP, "1 where this keep is the sequencer, 0 on standby."),
    Row("fsgov_log_lines", G, (), KEEP, "Lines of the event log."),
    Row("fsgov_log_signed_lines", G, (), KEEP, "Lines that the newest checkpoint covers."),
    Row("fsgov_log_checkpoint_age_seconds", G, (), KEEP, "Since the newest checkpoint, 0 before the first."),
    Row("fsgov_log_moved_lines_total", C, (), KEEP, "Lines that this keep has moved into the log."),
    Row("fsgov_log_failures_total", C, (), KEEP, "Rounds that failed: PostgreSQL was away, or worse."),
    Row("fsgov_scrub_objects_total", C, (), KEEP, "Stored objects that were read again, and compared."),
    Row("fsgov_scrub_bytes_total", C, (), KEEP, "Bytes of stored objects that were read again."),
    Row("fsgov_retention_recordings", G, ("verdict",), KEEP, "Recordings by verdict: keep, hold, destroy."),
    Row("fsgov_retention_bytes", G, ("verdict",), KEEP, "Their sealed audio."),
    Row(
        "fsgov_retention_overdue_recordings",
        G,
        (),
        KEEP,
        "Recordings that are past their time by more than retention.overdue_after, not held, in no approved"
        " plan.",
    ),
    Row(
        "fsgov_retention_unjudged_recordings",
        G,
        (),
        KEEP,
        "Recordings of which nobody can say how long they are to be kept.",
    ),
    Row(
        "fsgov_retention_age_seconds",
        G,
        (),
        KEEP,
        "Since these were counted, each hour by the keep that leads; 0 before the first count.",
    ),
    Row(
        "fsgov_forgotten_calls_total",
        C,
        (),
        KEEP,
        "Calls without a recording whose rows name nobody any more, since retention.numbers is over.",
    ),
    Row(
        "fsgov_schedule_runs_total",
        C,
        ("result",),
        KEEP,
        "Runs of schedules of purge: planned, nothing (was due), refused (more was due than it may destroy),"
        " busy (another plan was under way), failed (it is tried again).",
    ),
    Row("fsgov_schedule_late_seconds", G, (), KEEP, "Since the oldest run that is due and was not made."),
    Row(
        "fsgov_returned_objects_total",
        C,
        (),
        KEEP,
        "Versions of objects of destroyed recordings that had come back, and were removed again.",
    ),
    Row(
        "fsgov_subject_requests",
        G,
        ("state",),
        KEEP,
        "What people asked about their own recordings: due within a week, overdue, deferred (an erasure of"
        " which something waits), lost.",
    ),
    Row("fsgov_sink_behind_lines", G, ("sink",), KEEP, "Lines that a sink, or signed ones an anchor, lacks."),
)
ROWS = {row.name: row for row in TABLE}


class Collected(Collector):
    """Asks one part for its readings at each scrape."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        """Every metric of the part. KeyError for a reading that the table lacks, or lacks a part."""
        part = self._vitals.part
        readings: dict[str, Mapping[Labels, float | Spread]] = {**_common(self._vitals)}
        readings.update(self._vitals.readings())
        for row in TABLE:
            if part in row.parts:
                yield _family(row, readings.pop(row.name))
        if readings:
            raise KeyError(f"no metrics of {part}: {', '.join(readings)}")


def _common(vitals: Vitals) -> Readings:
    return {
        "fsgov_build_info": {(__version__, vitals.part): 1.0},
        "fsgov_alarms": by(vitals.alarms.counted()),
        "fsgov_ready": by({check: float(not why) for check, why in vitals.checks().items()}),
        "fsgov_loop_age_seconds": one(vitals.turned()),
    }


def _family(row: Row, readings: Mapping[Labels, float | Spread]) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    match row.kind:
        case Kind.COUNTER:
            family = CounterMetricFamily(row.name, row.help, labels=row.labels)
        case Kind.GAUGE:
            family = GaugeMetricFamily(row.name, row.help, labels=row.labels)
        case Kind.HISTOGRAM:
            family = HistogramMetricFamily(row.name, row.help, labels=row.labels)
    for labels, value in sorted(readings.items(), key=lambda reading: reading[0]):
        if isinstance(family, HistogramMetricFamily):
            assert isinstance(value, Spread)
            family.add_metric(labels, list(value.cumulated()), value.total)
        else:
            assert not isinstance(value, Spread)
            family.add_metric(labels, value)
    return family


class Exposition:
    """The page /metrics of one part: its own metrics and the process's (`process_*`)."""

    def __init__(self, vitals: Vitals) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(Collected(vitals))
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Body and content type, in the format that an Accept header asks for."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type
