#!/usr/bin/env python3
"""Writes the generated parts of proto/README.md from the schemas and their comments.

    proto/catalogue.py          rewrites the parts between the <!-- generated: NAME --> markers
    proto/catalogue.py --check  exits 1 and says why when README, examples or checklist do not fit the schemas

Needs python3 and protoc, nothing else.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Names of FieldDescriptorProto.Type.
TYPES = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32",
}
ORDER = "frames inspections production materials deliveries alarms decisions access ledger parked".split()
NO_WRITER = ("access", "ledger")
# Of a topic that is written in part: the kinds that a service writes.
WRITTEN = {
    "decisions": "writer_took_over recipe_submitted recipe_tested recipe_approved recipe_returned recipe_released "
    "recipe_retired model_trained performance_reviewed legal_hold_placed legal_hold_lifted".split(),
}
ITEM = re.compile(r"\b([A-Z]{2,4})-(\d\d)\b(?: \.\. ([A-Z]{2,4})-(\d\d)\b)?")


def parse(data):
    """One protobuf message as {field number: [value]}; enough to read a descriptor set."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(tag & 7) or varint()
            value = data[at : at + size]
            at += size
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def text(fields, number):
    return fields[number][0].decode() if number in fields else ""


def packed(data):
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    return tuple(numbers)


class Block:
    """A message or enum; `fields` holds (number, name, type, comment, oneof)."""

    def __init__(self, name, file, comment):
        self.name, self.file, self.fields = name, file, []
        body, _, example = comment.partition("Example: ")
        self.example = " ".join(example.split())
        self.catalogued = re.findall(r"Catalogued: field number (\d+) of ([\w.]+) when", " ".join(body.split()))
        self.meaning = " ".join(body.partition("Catalogued: ")[0].split())

    def items(self):
        return items_in(" ".join([self.meaning] + [field[3] for field in self.fields]))


def items_in(words):
    found = set()
    for group, first, last_group, last in ITEM.findall(words):
        for number in range(int(first), int(last or first) + 1):
            found.add(f"{group}-{number:02}")
    return found


def load():
    """All blocks by name, and the comment above each file."""
    files = sorted(str(path.relative_to(HERE)) for path in HERE.glob("lineledger/v1/*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        command = ["protoc", f"--proto_path={HERE}", "--include_source_info", f"--descriptor_set_out={out.name}"]
        subprocess.run(command + files, check=True, cwd=HERE)
        descriptors = parse(Path(out.name).read_bytes())
    blocks, heads = {}, {}
    for raw in descriptors[1]:
        file = parse(raw)
        name = Path(text(file, 1)).stem
        comments = {}
        for location in parse(file[9][0])[1]:
            location = parse(location)
            comments[packed(location[1][0]) if 1 in location else ()] = " \n".join(
                line.strip() for line in text(location, 3).splitlines()
            )
        heads[name] = " ".join(comments.get((12,), "").split())
        for index, message in enumerate(file.get(4, [])):
            add_message(blocks, parse(message), "", name, comments, (4, index))
        for index, enum in enumerate(file.get(5, [])):
            add_enum(blocks, parse(enum), name, comments, (5, index))
    return blocks, heads


def add_message(blocks, message, outer, file, comments, path):
    block = Block(outer + text(message, 1), file, comments.get(path, ""))
    oneofs = [text(parse(oneof), 1) for oneof in message.get(8, [])]
    for index, field in enumerate(message.get(2, [])):
        field = parse(field)
        kind = TYPES.get(field[5][0]) or text(field, 6).rpartition(".")[2]
        kind = f"repeated {kind}" if field[4][0] == 3 else kind
        oneof = oneofs[field[9][0]] if 9 in field else ""
        comment = " ".join(comments.get(path + (2, index), "").split())
        block.fields.append((field[3][0], text(field, 1), kind, comment, oneof))
    blocks[block.name] = block
    for index, nested in enumerate(message.get(3, [])):
        add_message(blocks, parse(nested), block.name + ".", file, comments, path + (3, index))


def add_enum(blocks, enum, file, comments, path):
    block = Block(text(enum, 1), file, comments.get(path, ""))
    for index, value in enumerate(enum[2]):
        value = parse(value)
        comment = " ".join(comments.get(path + (2, index), "").split())
        block.fields.append((value.get(2, [0])[0], text(value, 1), "", comment, ""))
    blocks[block.name] = block


def records(blocks):
    """(file, record name, [(number, kind, message, state)]) for every topic record, kinds by number."""
    events = [block for block in blocks.values() if block.name.endswith("Record.Event")]
    for block in sorted(events, key=lambda block: ORDER.index(block.file)):
        yield block.file, block.name.removesuffix(".Event"), kinds(blocks, f"{block.name}.kind", block)


def kinds(blocks, place, owner):
    oneof = place.rpartition(".")[2]
    def state(name):
        is_written = owner.file not in NO_WRITER and name in WRITTEN.get(owner.file, [name])
        return "running" if is_written else "catalogued"

    found = [(number, name, kind, state(name)) for number, name, kind, _, member in owner.fields if member == oneof]
    for block in blocks.values():
        for number, where in block.catalogued:
            if where == place:
                found.append((int(number), snake(block.name), block.name, "catalogued"))
    return sorted(found)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def cell(words):
    return words.replace("|", "\\|").replace("<", "&lt;")


def topics_table(blocks, heads):
    lines = ["| topic | written by | key | record | holds |", "| --- | --- | --- | --- | --- |"]
    for file, record, _ in records(blocks):
        head = re.match(r"Topics? (.*?),? (?:each )?written by (.*?)(?:, keyed by (.*?))?: (.*)$", heads[file])
        if file == "deliveries":
            names, writer = "`mes-deliveries`, `erp-deliveries`", "mes-bridge, erp-bridge"
            key = "the peer's business key"
            holds = heads[file].rpartition(": ")[2]
        else:
            names, writer, key, holds = head.groups()
            writer = {"its service": "the service that read it"}.get(writer, writer)
        key = cell(key or "topic and partition it came from")
        lines.append(f"| {names} | {writer} | {key} | `{record}` | {cell(holds)} |")
    return lines


def event_sections(blocks):
    lines, shown = [], set()
    for file, record, found in records(blocks):
        lines += ["", f"### {record} (`{file}.proto`)", ""]
        for number, name, kind, state in found:
            lines += section(blocks, number, name, kind, state, shown)
        if file == "deliveries":
            lines += ["", "#### Effects of `delivery_intended`", ""]
            for number, name, kind, state in kinds(blocks, "DeliveryIntended.effect", blocks["DeliveryIntended"]):
                lines += section(blocks, number, name, kind, state, shown)
    lines += ["### Messages and enums that several events share", ""]
    for block in blocks.values():
        if block.name not in shown and "." not in block.name and not block.name.endswith("Record"):
            lines += [f"**`{block.name}`** ({block.file}.proto): {cell(block.meaning)}", ""] + fields(block) + [""]
    return lines


def section(blocks, number, name, kind, state, shown):
    block = blocks[kind]
    title = f"**{number} `{name}`** ({state}): {cell(block.meaning)}"
    if kind in shown:
        return [title + f" Fields as above at `{kind}`.", ""]
    shown.add(kind)
    return [title, ""] + fields(block) + ["", "```textproto", block.example, "```", ""]


def fields(block):
    heads = ["no.", "field", "type", "meaning"] if block.fields[0][2] else ["no.", "value", "meaning"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for number, name, kind, comment, oneof in block.fields:
        middle = f"`{kind}`{' in ' + oneof if oneof else ''} | " if kind else ""
        lines.append(f"| {number} | `{name}` | {middle}{cell(comment)} |")
    return lines


def checklist_table(blocks, problems):
    by_item = {}
    for file, record, found in records(blocks):
        effects = kinds(blocks, "DeliveryIntended.effect", blocks["DeliveryIntended"]) if file == "deliveries" else []
        for _, name, kind, state in found + effects:
            for item in reachable_items(blocks, kind, set()):
                places = by_item.setdefault(item, {})
                if state == "running" or kind not in places:
                    places[kind] = (f"{file}.{name}", state)
    for item in blocks["HumanAct"].items():
        by_item.setdefault(item, {})["HumanAct"] = ("every decision (`HumanAct`)", "catalogued")
    lines = ["| item | what | events and effects (running ones in bold) |", "| --- | --- | --- |"]
    known = set()
    for line in (HERE / "checklist.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        item, what, *reason = line.split("\t")
        known.add(item)
        places = sorted(by_item.get(item, {}).values(), key=lambda place: (place[1] != "running", place[0]))
        if not places and not reason:
            problems.append(f"checklist.tsv: {item} ({what}) has no event and no reason")
        words = ", ".join(f"**{name}**" if state == "running" else name for name, state in places)
        lines.append(f"| {item} | {cell(what)} | {'; '.join(filter(None, [words] + reason))} |")
    groups = {item.partition("-")[0] for item in known}
    for item in sorted(by_item):
        if item.partition("-")[0] in groups and item not in known:
            problems.append(f"a comment names {item}, which checklist.tsv does not have")
    return lines


def reachable_items(blocks, kind, seen):
    """Items of a message and of the messages it holds, but for those that have their own line."""
    if kind in seen or kind not in blocks or kind in ("Origin", "HumanAct") or (seen and kind == "HoldPlaced"):
        return set()
    seen.add(kind)
    block = blocks[kind]
    found = block.items()
    for _, _, field_type, _, oneof in block.fields:
        if not oneof:
            found |= reachable_items(blocks, field_type.removeprefix("repeated "), seen)
    return found


def check_examples(blocks, problems):
    """Every example is given to protoc: it must be text that the message can hold."""
    files = sorted(str(path.relative_to(HERE)) for path in HERE.glob("lineledger/v1/*.proto"))
    for block in blocks.values():
        if block.example:
            command = ["protoc", f"--proto_path={HERE}", f"--encode=lineledger.v1.{block.name}"] + files
            run = subprocess.run(command, input=block.example.encode(), capture_output=True, cwd=HERE)
            if run.returncode or b"warning" in run.stderr:
                problems.append(f"{block.file}.proto: example of {block.name}: {run.stderr.decode().strip()}")


def main():
    check = "--check" in sys.argv[1:]
    blocks, heads = load()
    problems = []
    parts = {
        "topics": topics_table(blocks, heads),
        "checklist": checklist_table(blocks, problems),
        "events": event_sections(blocks),
    }
    check_examples(blocks, problems)
    readme = HERE / "README.md"
    before = readme.read_text()
    after = before
    for name, lines in parts.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end: {name} -->)", re.S)
        if not pattern.search(after):
            problems.append(f"README.md: no markers for {name}")
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines).strip("\n"))
        after = pattern.sub(lambda match: f"{match[1]}\n{body}\n\n{match[2]}", after)
    if check and after != before:
        problems.append("README.md is behind the schemas: run proto/catalogue.py")
    if not check:
        readme.write_text(after)
    for problem in problems:
        print(f"proto/{problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
