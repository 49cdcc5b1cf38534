"""S3-compatible object storage with object lock: one object a checkpoint, which nobody can change or delete in time.

Credentials come from where boto3 finds them (environment, instance role, ``AWS_SHARED_CREDENTIALS_FILE``), never from
the URL. The bucket must have been made with object lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.audit.anchors.base import AnchorError, Checkpoint, parse
from kakehashi.errors import ConfigError

_DEFAULT_DAYS = 3650
_TIMEOUT_S = 10


class S3Anchor:
    """``s3://bucket/prefix?endpoint=https://…&region=…&days=3650&mode=COMPLIANCE``"""

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        asked = {name: values[-1] for name, values in parse_qs(split.query).items()}
        unknown = sorted(set(asked) - {"endpoint", "region", "days", "mode"})
        mode, days = asked.get("mode", "COMPLIANCE"), asked.get("days", str(_DEFAULT_DAYS))
        if (
            unknown
            or not split.netloc
            or "@" in split.netloc
            or not days.isdigit()
            or mode not in ("COMPLIANCE", "GOVERNANCE")
        ):
            raise ConfigError(
                "An S3 anchor must look like s3://bucket/prefix?endpoint=…&region=…&days=3650&mode=COMPLIANCE.",
                hint="Correct gateway.audit_anchors; credentials do not belong into it.",
            )
        self._bucket, self._prefix = split.netloc, split.path.strip("/")
        self._days, self._mode = int(days), mode
        self._endpoint, self._region = asked.get("endpoint"), asked.get("region")
        self.name = f"s3 {self._bucket}/{self._prefix}"
        self._client: Any = None

    def put(self, checkpoint: Checkpoint) -> None:
        name = f"{self._prefix}/{checkpoint.writer}/{checkpoint.seq:016d}.json".lstrip("/")
        until = datetime.now(UTC) + timedelta(days=self._days)
        with _told(self.name, "written"):
            self._open().put_object(
                Bucket=self._bucket,
                Key=name,
                Body=checkpoint.line().encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",  # object lock requires a checksum of the request
                ObjectLockMode=self._mode,
                ObjectLockRetainUntilDate=until,
            )

    def read(self) -> Iterator[Checkpoint]:
        """Every version of every object: an overwritten one does not hide the one before."""
        with _told(self.name, "read"):
            client = self._open()
            pages = client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=f"{self._prefix}/".lstrip("/")
            )
            for page in pages:
                for version in page.get("Versions", []):
                    answer = client.get_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])
                    found = parse(answer["Body"].read().decode(errors="replace"), self.name)
                    yield found or Checkpoint("?", 0, "", "", "", self.name)

    def _open(self) -> Any:
        if self._client is None:
            import boto3  # takes half a second: only where it is used
            from botocore.config import Config

            config = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"total_max_attempts": 2})
            self._client = boto3.client("s3", endpoint_url=self._endpoint, region_name=self._region, config=config)
        return self._client


class _told:
    """Turns boto's errors into AnchorError."""

    def __init__(self, name: str, done: str) -> None:
        self._name, self._done = name, done

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            said = error.response.get("Error", {}).get("Code", "")
            raise AnchorError(f"The anchor {self._name} cannot be {self._done}: {said}.") from error
        if isinstance(error, BotoCoreError):
            raise AnchorError(f"The anchor {self._name} cannot be {self._done}: {type(error).__name__}.") from error
