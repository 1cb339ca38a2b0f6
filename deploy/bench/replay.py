#!/usr/bin/env python3
"""Replays a LineLedger site into SQLite the two ways a Python program would, and says how long each took.

    pip install -r deploy/bench/requirements.txt
    deploy/bench/replay.py --brokers localhost:9092 --site berlin --records 120000 \\
        --tables tables.sql --indexes indexes.sql

`lineledger bench replay` runs it. The tables are the read model's; the facts of the frequent events go into them, as
in the plain Swift path. Both paths leave out what costs thought: repeats, void writers, gaps and tallies.
- python: confluent-kafka reads, protobuf decodes, sqlite3 writes with executemany, a transaction a batch.
- python_eventsourcing: the same records lie in eventsourcing's SQLite recorder (filling it is not measured); a follower
  reads its notifications and writes each one's facts with its tracking position, as the library's projections do. That
  is a durable transaction for each, so only the first --followed of them are measured.
Prints one JSON object. Exit codes: 0 done, 1 records are missing, 2 wrong use.
"""
import argparse
import json
import platform
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from importlib import metadata
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore, SQLiteTrackingRecorder
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = Path(__file__).resolve().parents[2] / "proto"
BATCH = 10_000
FAST = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
TRIGGER = "INSERT OR IGNORE INTO trigger VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?)"
EVIDENCE = "INSERT OR IGNORE INTO evidence VALUES (?, 1, ?, ?, ?, ?, ?, NULL, ?, ?, ?)"
PART = "INSERT OR IGNORE INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?)"
DEFECT = "INSERT OR IGNORE INTO defect VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INTENT = """INSERT INTO delivery VALUES (?, ?, 6, ?, ?, ?, ?, 0, NULL, 0, NULL, 0, 0, 0)
    ON CONFLICT DO UPDATE SET effect = excluded.effect, peer = excluded.peer, business_key = excluded.business_key,
    subject = excluded.subject, intended_at_us = excluded.intended_at_us"""
OUTCOME = """INSERT INTO delivery(channel, intent_id, state, answer, found_by_look_up, outcome_at_us, partition, epoch,
    sequence) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = 1, answer = excluded.answer,
    found_by_look_up = excluded.found_by_look_up, outcome_at_us = excluded.outcome_at_us,
    partition = excluded.partition, epoch = excluded.epoch, sequence = excluded.sequence"""
STATEMENTS = (TRIGGER, EVIDENCE, PART, DEFECT, INTENT, OUTCOME)


def record_types():
    """Message class of each topic, from the schemas at hand."""
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        files = [str(path) for path in sorted(PROTO.glob("lineledger/v1/*.proto"))]
        subprocess.run(["protoc", f"--proto_path={PROTO}", f"--descriptor_set_out={out.name}", *files], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)

    def get(name):
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"lineledger.v1.{name}Record"))

    delivery = get("Delivery")
    return {
        "frames": get("Frame"), "inspections": get("Inspection"), "production": get("Production"),
        "materials": get("Material"), "mes-deliveries": delivery, "erp-deliveries": delivery, "alarms": get("Alarm"),
        "decisions": get("Decision"),
    }


class Facts:
    """Rows of the read model's fact tables, out of records."""

    def __init__(self, types):
        self.types = types
        self.sources, self.contexts, self.terms = {}, {}, {}
        self.events = 0

    def key(self, trigger):
        source = self.sources.setdefault((trigger.station, trigger.session), len(self.sources) + 1)
        return source << 40 | trigger.sequence

    def term(self, text):
        return self.terms.setdefault(text, len(self.terms) + 1)

    def context(self, context):
        return self.contexts.setdefault(context.SerializeToString(), len(self.contexts) + 1)

    def add(self, topic, value, rows):
        """Appends the rows of a record to the lists in `rows`, one for each of STATEMENTS."""
        record = self.types[topic].FromString(value)
        origin = record.meta.origin
        mark = (origin.partition, origin.epoch, origin.sequence)
        channel = 2 if topic == "erp-deliveries" else 1
        for event in record.events:
            self.events += 1
            kind = event.WhichOneof("kind")
            if kind == "frame_captured":
                it = event.frame_captured
                rows[TRIGGER].append((self.key(it.trigger), it.triggered_at_us, it.device_time_us, it.width, it.height,
                                      it.pixel_format, it.pixels_sha256, it.source_name, *mark))
            elif kind == "evidence_stored":
                it = event.evidence_stored
                rows[EVIDENCE].append((self.key(it.trigger), it.pixels_sha256, it.stored_sha256, it.lossless,
                                       self.term(it.media_type), it.stored_bytes, *mark))
            elif kind == "part_inspected":
                it = event.part_inspected
                key = self.key(it.trigger)
                rows[PART].append((key, it.verdict, self.context(it.context), self.term(it.recipe_sha256), it.score,
                                   it.confidence, it.triggered_at_us, it.decided_at_us, it.pixels_sha256,
                                   it.rejection_reason,
                                   struct.pack(f"<{len(it.scores)}f", *it.scores) if it.scores else None, *mark))
                for ordinal, flaw in enumerate(it.defects):
                    rows[DEFECT].append((key, ordinal, flaw.category, flaw.x, flaw.y, flaw.width, flaw.height,
                                         flaw.area, flaw.score, flaw.tool, flaw.severity))
            elif kind == "delivery_intended":
                it = event.delivery_intended
                rows[INTENT].append((channel, it.intent_id, it.peer, it.business_key, it.order_yield.order_id,
                                     record.meta.occurred_at_us))
            elif kind == "delivery_confirmed":
                it = event.delivery_confirmed
                rows[OUTCOME].append((channel, it.intent_id, it.peer_reference, it.found_by_look_up,
                                      record.meta.occurred_at_us, *mark))


def empty():
    return {statement: [] for statement in STATEMENTS}


def consume(args, types, take):
    """Reads every record from the beginning; calls `take` with batches of (topic, value)."""
    consumer = Consumer({"bootstrap.servers": args.brokers, "group.id": "unused", "enable.auto.commit": False,
                         "fetch.wait.max.ms": 10})
    places = []
    for topic in types:
        name = f"lineledger.{args.site}.{topic}"
        found = consumer.list_topics(name, timeout=10).topics[name]
        places += [TopicPartition(name, partition, OFFSET_BEGINNING) for partition in found.partitions]
    consumer.assign(places)
    left, idle = args.records, 0
    while left > 0 and idle < 20:
        messages = consumer.consume(BATCH, timeout=0.5)
        idle = 0 if messages else idle + 1
        batch = [(message.topic().rsplit(".", 1)[1], message.value()) for message in messages if not message.error()]
        left -= len(batch)
        if batch:
            take(batch)
    consumer.close()
    if left > 0:
        raise SystemExit(f"{args.brokers}: {left} of {args.records} records are missing")


class Stopwatch:
    def __init__(self):
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def result(self, events):
        seconds = time.monotonic() - self.wall
        return {"events": events, "seconds": seconds, "cpu_seconds": time.process_time() - self.cpu,
                "events_per_second": events / seconds}


def run_plain(args, types, folder):
    facts = Facts(types)
    watch = Stopwatch()
    database = sqlite3.connect(folder / "python.db")
    database.executescript(FAST + args.tables.read_text() + args.indexes.read_text())

    def take(batch):
        rows = empty()
        for topic, value in batch:
            facts.add(topic, value, rows)
        with database:
            for statement, values in rows.items():
                database.executemany(statement, values)

    consume(args, types, take)
    database.close()
    return watch.result(facts.events)


class Projection(SQLiteTrackingRecorder):
    """A materialised view in the library's manner: facts and position in one transaction for each notification."""

    def __init__(self, datastore, facts, schema):
        self.facts = facts
        self.schema = schema
        super().__init__(datastore)

    def construct_create_table_statements(self):
        tables = [statement for statement in self.schema.split(";") if statement.strip()]
        return super().construct_create_table_statements() + tables

    def process(self, notification):
        rows = empty()
        self.facts.add(notification.topic, notification.state, rows)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, Tracking("plant", notification.id))
            for statement, values in rows.items():
                for value in values:
                    cursor.execute(statement, value)


def run_eventsourcing(args, types, folder):
    source = SQLiteApplicationRecorder(SQLiteDatastore(str(folder / "source.db")))
    source.create_table()
    streams = {topic: (uuid.uuid5(uuid.NAMESPACE_URL, topic), [0]) for topic in types}

    def take(batch):
        stored = []
        for topic, value in batch:
            stream, version = streams[topic]
            version[0] += 1
            stored.append(StoredEvent(stream, version[0], topic, value))
        source.insert_events(stored)

    consume(args, types, take)
    schema = args.tables.read_text() + args.indexes.read_text()
    projection = Projection(SQLiteDatastore(str(folder / "view.db")), Facts(types), schema)
    projection.create_table()
    watch = Stopwatch()
    position, end = 0, min(args.followed, source.max_notification_id())
    while position < end:
        for notification in source.select_notifications(position + 1, min(1000, end - position)):
            projection.process(notification)
            position = notification.id
    return watch.result(projection.facts.events)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True, help="host:port, several joined by commas")
    parser.add_argument("--site", required=True, help='site in the topic names; example "berlin"')
    parser.add_argument("--records", required=True, type=int, help="records that the site's topics hold together")
    parser.add_argument("--tables", required=True, type=Path, help="SQL that makes the read model's tables")
    parser.add_argument("--indexes", required=True, type=Path, help="SQL that makes the indexes of its queries")
    parser.add_argument("--followed", type=int, default=5_000, help="notifications that the follower projects")
    return parser.parse_args()


def main():
    args = arguments()
    types = record_types()
    with tempfile.TemporaryDirectory(prefix="lineledger-bench-") as name:
        folder = Path(name)
        result = {
            "python": run_plain(args, types, folder),
            "python_eventsourcing": run_eventsourcing(args, types, folder),
        }
    result["versions"] = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version} | {
        name: metadata.version(name) for name in ("confluent-kafka", "protobuf", "eventsourcing")
    }
    print(json.dumps(result, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
