"""Reads what an offline W&B run wrote, from its own file."""

import json
import struct
from pathlib import Path

from conftest import until


def records_of(folder: Path):
    """Every record of the one finished offline run under a folder; W&B writes behind our back."""
    until(lambda: any(folder.glob("wandb/offline-run-*/*.wandb")) and ended(read(folder)))
    return read(folder)


def ended(records) -> bool:
    """Whether the run's file has its end."""
    return bool(of_kind(records, "exit"))


def read(folder: Path):
    """The records that are in the file now, read by the format of its log.

    The file is a LevelDB log with a header of 7 bytes: blocks of 32 KiB that hold chunks of
    (crc, length, type); type 1 is a whole record, 2, 3 and 4 the first, middle and last part.
    """
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    content, position, records, parts = path.read_bytes(), 7, [], b""
    while position + 7 <= len(content):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        parts = (b"" if kind in (1, 2) else parts) + content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            records.append(wandb_internal_pb2.Record.FromString(parts))
    return records


def items_of(update) -> dict:
    """Flat {name: value} of the items of a history, summary or config record."""
    return {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in update}


def of_kind(records, kind):
    return [getattr(r, kind) for r in records if r.WhichOneof("record_type") == kind]


def history_of(records, name):
    rows = [items_of(h.item) for h in of_kind(records, "history")]
    return [row for row in rows if name in row]


def axes_of(records) -> dict:
    return {m.name: m.step_metric for m in of_kind(records, "metric")}


def summary_of(records) -> dict:
    summary = {}
    for record in of_kind(records, "summary"):
        summary |= items_of(record.update)
    return summary
