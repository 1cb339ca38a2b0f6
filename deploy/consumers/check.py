#!/usr/bin/env python3
"""Runs both consumers against librdkafka's mock cluster and compares what they print with the golden records.

    pip install -r deploy/consumers/requirements.txt && deploy/consumers/check.py

Needs kcat and protoc too. Exit codes: 0 all as expected, 1 a difference, named.
"""
import json
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Producer

import consume

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parents[1] / "proto" / "golden"


def fill(producer, record):
    """Produces every golden inspection, then a repeat, a void record and bytes that are none; returns the kinds."""
    kinds, values = [], []
    for sequence, path in enumerate(sorted(GOLDEN.glob("inspections.*.hex"))):
        value = record.FromString(bytes.fromhex(path.read_text().replace("\n", "")))
        value.meta.origin.epoch, value.meta.origin.sequence = 2, sequence
        kinds.append(path.name.split(".")[1])
        values.append(value)
    void = record.FromString(values[-1].SerializeToString())
    void.meta.origin.epoch, void.meta.origin.sequence = 1, 900
    sent = [(kind, value.SerializeToString()) for kind, value in zip(kinds, values)]
    sent += [sent[0], ("void", void.SerializeToString()), ("foreign", b"\xff\x00 no record")]
    for kind, value in sent:
        producer.produce("lineledger.berlin.inspections", value, "vision-1", 0, headers={"events": kind})
    if producer.flush(10):
        raise SystemExit("the mock cluster did not take the records")
    return kinds


def main():
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    address = f"{broker.host}:{broker.port}"
    kinds = fill(producer, consume.record_type("inspections"))
    common = [sys.executable, HERE / "consume.py", "--brokers", address, "--site", "berlin", "--topic", "inspections"]
    problems = []

    run = subprocess.run([*common, "--wait", "2"], capture_output=True, text=True)
    printed = [list(json.loads(line)["record"]["events"][0])[0] for line in run.stdout.splitlines()]
    if printed != kinds or run.returncode != 1 or "inspections/0/" not in run.stderr:
        problems.append(f"consume.py: {printed}, exit {run.returncode}, {run.stderr}; expected {kinds}, exit 1")

    run = subprocess.run([*common, "--event", "hold_placed", "--count", "1"], capture_output=True, text=True)
    if run.returncode or json.loads(run.stdout)["record"]["events"][0].keys() != {"hold_placed"}:
        problems.append(f"consume.py --event: exit {run.returncode}, {run.stdout}{run.stderr}")

    shell = [HERE / "consume.sh", address, "berlin", "inspections"]
    run = subprocess.run(shell, capture_output=True, text=True)
    records = run.stdout.count("\nmeta {\n")
    if records != len(kinds) + 2 or run.returncode or run.stderr.count("is no InspectionRecord") != 1:
        problems.append(f"consume.sh: {records}, exit {run.returncode}, {run.stderr}, expected {len(kinds) + 2}")

    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"consumers: {len(kinds)} kinds read by Python and by kcat" if not problems else "consumers: failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
