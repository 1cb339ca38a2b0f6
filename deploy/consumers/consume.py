#!/usr/bin/env python3
"""Reads a LineLedger topic and prints each record as one JSON object a line.

    pip install -r deploy/consumers/requirements.txt
    deploy/consumers/consume.py --brokers localhost:9092 --site berlin --topic inspections --count 10
    deploy/consumers/consume.py --brokers localhost:9092 --site berlin --topic inspections --event hold_placed

It reads from the beginning, takes part in no consumer group and commits nothing.
Exit codes: 0 done, 1 a record could not be decoded, 2 wrong use, 3 the brokers could not be reached.
"""
import argparse
import base64
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from google.protobuf import json_format, message
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"
RECORDS = {
    "frames": ("frames", "FrameRecord"),
    "inspections": ("inspections", "InspectionRecord"),
    "production": ("production", "ProductionRecord"),
    "materials": ("materials", "MaterialRecord"),
    "mes-deliveries": ("deliveries", "DeliveryRecord"),
    "erp-deliveries": ("deliveries", "DeliveryRecord"),
    "alarms": ("alarms", "AlarmRecord"),
    "decisions": ("decisions", "DecisionRecord"),
    "access": ("access", "AccessRecord"),
    "ledger": ("ledger", "LedgerRecord"),
}


def record_type(topic):
    """The topic's message class, compiled from the schemas at hand."""
    file, name = ("parked", "ParkedRecord") if topic.endswith("-parked") else RECORDS[topic]
    out = tempfile.mkdtemp(prefix="lineledger-proto-")
    files = [str(path) for path in sorted(PROTO.glob("lineledger/v1/*.proto"))]
    if protoc.main(["protoc", f"--proto_path={PROTO}", f"--python_out={out}", *files]):
        raise SystemExit(f"{PROTO}: the schemas could not be compiled")
    sys.path.insert(0, out)
    return getattr(importlib.import_module(f"lineledger.v1.{file}_pb2"), name)


class Admission:
    """Which records count: repeats and writers that lost the partition are skipped (proto/README.md, "A record")."""

    def __init__(self):
        self.marks = {}
        self.owners = {}

    def admits(self, meta):
        origin = meta.origin
        stream = (origin.site, origin.topic, origin.partition)
        mark = (origin.epoch, origin.sequence)
        epoch = mark[0]
        last = self.marks.get(stream, (0, -1))
        if mark <= last:
            return False
        if epoch == last[0] and meta.producer.instance != self.owners[stream]:
            return False
        self.marks[stream] = mark
        self.owners[stream] = meta.producer.instance
        return True


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True, help="host:port, several joined by commas")
    parser.add_argument("--site", required=True, help='site in the topic name; example "berlin"')
    parser.add_argument("--topic", required=True, help="one of " + ", ".join(RECORDS) + ", or <service>-parked")
    parser.add_argument("--count", type=int, help="stop after this many records; without it read to the end, then wait")
    parser.add_argument("--event", help="only records with this kind inside, told by their `events` header")
    pairs = {"action": "append", "default": []}
    parser.add_argument("--header", metavar="NAME=VALUE", help="only records with this header", **pairs)
    parser.add_argument("--wait", type=float, help="stop when nothing came for this many seconds")
    parser.add_argument("--config", metavar="KEY=VALUE", help="librdkafka setting, for TLS and SASL", **pairs)
    args = parser.parse_args()
    if args.topic not in RECORDS and not args.topic.endswith("-parked"):
        parser.error(f"--topic {args.topic}: expected one of {', '.join(RECORDS)} or <service>-parked")
    if bad := [pair for pair in args.header + args.config if "=" not in pair]:
        parser.error(f"{bad[0]}: expected NAME=VALUE")
    return args


def wanted(headers, args):
    if args.event and args.event not in headers.get("events", "").split(","):
        return False
    return all(headers.get(name) == value for name, _, value in (pair.partition("=") for pair in args.header))


def main():
    args = arguments()
    record = record_type(args.topic)
    settings = {"bootstrap.servers": args.brokers, "group.id": "unused", "enable.auto.commit": False}
    consumer = Consumer(settings | dict(pair.split("=", 1) for pair in args.config))
    topic = f"lineledger.{args.site}.{args.topic}"
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
    except KafkaException as error:
        print(f"{args.brokers}: {error}", file=sys.stderr)
        return 3
    if found.error:
        print(f"{args.brokers}: {topic}: {found.error}", file=sys.stderr)
        return 3
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in found.partitions])
    try:
        return follow(consumer, record, args)
    except KeyboardInterrupt:
        return 0
    finally:
        consumer.close()


def follow(consumer, record, args):
    admission, printed, failed, last = Admission(), 0, 0, time.monotonic()
    while args.count is None or printed < args.count:
        got = consumer.poll(0.5)
        if got is None:
            if args.wait is not None and time.monotonic() - last > args.wait:
                break
            continue
        last = time.monotonic()
        if got.error():
            if got.error().code() == KafkaError._PARTITION_EOF:
                continue
            print(f"{got.topic()}: {got.error()}", file=sys.stderr)
            return 3
        place = f"{got.topic()}/{got.partition()}/{got.offset()}"
        try:
            value = record.FromString(got.value() or b"")
            if not value.HasField("meta") or not value.meta.HasField("origin") or not value.events:
                raise message.DecodeError("no meta, no origin or no events: not a LineLedger record")
        except message.DecodeError as error:
            print(f"{place}: {error}", file=sys.stderr)
            failed += 1
            continue
        headers = {name: (text or b"").decode(errors="replace") for name, text in got.headers() or []}
        if not admission.admits(value.meta) or not wanted(headers, args):
            continue
        key = got.key() or b""
        line = {
            "place": place,
            "key": key.decode() if key.isascii() else base64.b64encode(key).decode(),
            "headers": headers,
            "record": json_format.MessageToDict(value, preserving_proto_field_name=True),
        }
        print(json.dumps(line, ensure_ascii=False), flush=True)
        printed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
