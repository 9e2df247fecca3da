"""Times as the sandbox keeps them: UTC with microseconds, as text that sorts like the times themselves."""

from __future__ import annotations

from datetime import datetime, timezone

from google.protobuf.timestamp_pb2 import Timestamp

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(timezone.utc)


def to_text(time: datetime) -> str:
    """Return `time` as ISO 8601 in UTC, always with six digits of a second, so that texts compare."""
    return time.astimezone(timezone.utc).strftime(_FORMAT)


def from_text(text: str) -> datetime:
    """Return the time that `to_text` wrote."""
    # strptime takes ten times as long, and every row of every list has such a text; Python 3.10 knows no Z.
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)


def to_timestamp(time: datetime | str) -> Timestamp:
    """Return a time, or the text of one, as protobuf's Timestamp."""
    stamp = Timestamp()
    stamp.FromDatetime(from_text(time) if isinstance(time, str) else time)
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime:
    """Return a Timestamp as a time in UTC; what is finer than a microsecond is cut off."""
    return datetime.fromtimestamp(stamp.seconds, timezone.utc).replace(microsecond=stamp.nanos // 1000)
