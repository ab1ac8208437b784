"""Which object store an address belongs to, and what the store's refusals mean.

`s3://` and `gs://` are read by pyarrow, as is what else it knows (`hdfs://`, `abfs://`); any other
scheme by fsspec, where the package for it is installed. Who may read what, and where the store is,
the environment says (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL, AWS_REGION,
GOOGLE_APPLICATION_CREDENTIALS …), never an address: addresses are kept in runs and logs.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from auglift.errors import AugliftError, DataError, MissingDataError, SetupError, UsageError

# Refused connections come back at once, silent servers do not.
CONNECT_S, ANSWER_S = 10, 60
ATTEMPTS = "3"
_GCS_PATIENCE = datetime.timedelta(seconds=60)  # of its own accord it would try for 15 minutes

_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|Bucket '.*' not found|bucket does not exist", re.I)
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT_MATCH|"
    r"SIGNATURE|EXPIRED_TOKEN|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION|UNAUTHENTICATED|"
    r"PERMISSION_DENIED|Forbidden|[Cc]redentials|HTTP status 40[13]"
)
_AWAY = re.compile(
    r"NETWORK_CONNECTION|curlCode|resolve host|REQUEST_TIMEOUT|SLOW_DOWN|SERVICE_UNAVAILABLE|"
    r"INTERNAL_FAILURE|HTTP status 50\d|UNAVAILABLE|timed out|[Cc]onnection"
)
_OTHER = re.compile(r"AWS Error|google::cloud")


def resolve(address: str) -> tuple[Any, str]:
    """The file system (`pyarrow.fs.FileSystem`) of an address, and the path in it."""
    scheme, _, rest = address.partition("://")
    bucket = rest.partition("/")[0]
    if "@" in bucket:
        raise UsageError(
            f"an address holds no credentials: {scheme}://…@{bucket.rpartition('@')[2]}",
            hint="leave them out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    with explained(address):
        if scheme in ("s3", "s3a"):
            return _s3(bucket, _environment("AWS_")), rest
        if scheme in ("gs", "gcs"):
            return _gcs(_environment("GOOGLE_")), rest
        return _other(address)


@contextmanager
def explained(address: str) -> Iterator[None]:
    """Turn a store's refusal into an error that says what to do.

    What is not there stays `FileNotFoundError`, and what is no refusal stays what it is.
    """
    try:
        yield
    except OSError as error:
        ours = None if isinstance(error, FileNotFoundError) else _in_our_words(error, address)
        if ours is None:
            raise
        raise ours from error


def _in_our_words(error: OSError, address: str) -> AugliftError | None:
    words = (str(error).strip() or type(error).__name__).splitlines()[0]
    if _NO_BUCKET.search(words):
        return _no_bucket(address)
    if _REFUSED.search(words):
        return SetupError(
            f"the object store refuses access: {words}",
            where=address,
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE "
            "(gs://: GOOGLE_APPLICATION_CREDENTIALS), of somebody who may read and write there",
        )
    if _AWAY.search(words):
        return SetupError(
            f"the object store cannot be reached: {words}",
            where=address,
            hint="look at the network and at AWS_ENDPOINT_URL, then run the same command again: "
            "what is done is kept",
        )
    if _OTHER.search(words):
        return DataError(f"the object store says: {words}", where=address)
    return None


@cache  # which keeps what is there, and no error
def require_bucket(address: str) -> None:
    """Raise unless the bucket (`s3://bucket`) is there; other kinds of addresses have none."""
    from pyarrow import fs

    system, path = resolve(address)
    with explained(address):
        has_buckets = isinstance(system, fs.S3FileSystem | fs.GcsFileSystem)
        if has_buckets and system.get_file_info(path).type == fs.FileType.NotFound:
            raise _no_bucket(address)


def _no_bucket(address: str) -> MissingDataError:
    return MissingDataError(
        "there is no such bucket", where=address, hint="see the spelling, or create the bucket"
    )


def _environment(prefix: str) -> tuple[tuple[str, str], ...]:
    """What a file system was opened with: another environment wants another one."""
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith(prefix)))


@cache
def _s3(bucket: str, environment: tuple[tuple[str, str], ...]) -> Any:
    from pyarrow import fs

    said = dict(environment)
    endpoint = said.get("AWS_ENDPOINT_URL_S3") or said.get("AWS_ENDPOINT_URL")
    region = said.get("AWS_REGION") or said.get("AWS_DEFAULT_REGION")
    if region is None:
        # Amazon knows where a bucket lies; who names an endpoint has one region, whatever its name.
        region = "us-east-1" if endpoint else fs.resolve_s3_region(bucket)
    attempts = int(said.get("AWS_MAX_ATTEMPTS", ATTEMPTS))
    return fs.S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        connect_timeout=CONNECT_S,
        request_timeout=ANSWER_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=attempts),
    )


@cache
def _gcs(environment: tuple[tuple[str, str], ...]) -> Any:
    from pyarrow import fs

    return fs.GcsFileSystem(retry_time_limit=_GCS_PATIENCE)


def _other(address: str) -> tuple[Any, str]:
    import pyarrow as pa
    from pyarrow import fs

    try:
        system, path = fs.FileSystem.from_uri(address)
        return system, path
    except pa.ArrowInvalid:
        return _by_fsspec(address)


def _by_fsspec(address: str) -> tuple[Any, str]:
    import fsspec
    from pyarrow import fs

    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise SetupError(
            f"addresses of this kind need another package: {error}", where=address
        ) from error
    except ValueError as error:
        raise UsageError(
            f"no kind of address that anything here can open: {error}",
            where=address,
            hint="s3://bucket/key, gs://bucket/key, or another that pyarrow or fsspec knows",
        ) from error
    return fs.PyFileSystem(fs.FSSpecHandler(system)), path
