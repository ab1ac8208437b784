"""A path at an address: `RemotePath("s3://bucket/key")` where a function wants a `Path`.

It answers as a `Path` does: is it there, what lies in the folder, what does it hold. Tables are
read through it a column and a row group at a time. Whatever wants a file on this machine (a
library that opens videos, a program) is refused with a word on what to do, since to the operating
system an address is no file.

Objects appear whole or not at all: `uploading` makes the file on this machine first.
"""

from __future__ import annotations

import fnmatch
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from auglift.errors import AugliftError, MissingDataError, UsageError
from auglift.storage.object_stores import explained, require_bucket, resolve

WILDCARDS = frozenset("*?[")

if TYPE_CHECKING:
    from pathlib import PosixPath as NativePath
else:  # PosixPath or WindowsPath: before Python 3.12, `Path` itself has no subclasses
    NativePath = type(Path())


class RemotePath(NativePath):
    """An object of a store, or what lies below it."""

    def __str__(self) -> str:
        """The address, with the two slashes of which `Path` keeps one."""
        scheme, *rest = self.parts
        return f"{scheme}//{'/'.join(rest)}"

    def __fspath__(self) -> str:
        raise UsageError(
            "this has to lie on a disk, not in an object store",
            where=self,
            hint="tables and runs may lie in an object store; pictures, videos, reports and "
            "TensorBoard's files may not",
        )

    # ------------------------------------------------------------------------------ what is there

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size and time; of a folder nothing but that it is one."""
        info, kind = self._looked_up()
        if not kind:
            raise FileNotFoundError(str(self))
        time_ns = info.mtime_ns or 0
        whole = (kind, 0, 0, 0, 0, 0, info.size or 0, *(3 * [time_ns // 10**9]))
        return os.stat_result(whole, {"st_mtime_ns": time_ns})

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is an object, or anything below."""
        return self._looked_up()[1] != 0

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is such an object."""
        return self._looked_up()[1] == stat.S_IFREG

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether anything lies below."""
        return self._looked_up()[1] == stat.S_IFDIR

    def glob(self, pattern: str, **_: object) -> Iterator[RemotePath]:  # type: ignore[override]
        """What lies below and fits a pattern such as `*/part-*.parquet`; `**` is not understood."""
        head, _slash, rest = pattern.partition("/")
        if head == "**":
            raise UsageError("** is not understood in addresses", where=self / pattern)
        fitting = self._children(head) if WILDCARDS & set(head) else [self / head]
        for path in fitting:
            if rest:
                yield from path.glob(rest)
            elif path.exists():
                yield path

    def version(self) -> str:
        """A text that changes with what the object holds, known without reading it."""
        system, path = self._resolved()
        with explained(str(self)), system.open_input_stream(path) as stream:
            etag = (stream.metadata() or {}).get("ETag", b"")
        there = self.stat()
        return f"{there.st_size} {etag.decode() if etag else there.st_mtime_ns}"

    # ------------------------------------------------------------------------------ reading

    def open_input(self) -> Any:
        """The object (`pyarrow.NativeFile`), to be read in pieces at any place."""
        system, path = self._resolved()
        with self._there(), explained(str(self)):
            return system.open_input_file(path)

    def read_bytes(self) -> bytes:
        """The whole object."""
        with self.open_input() as file, explained(str(self)):
            return bytes(file.read())

    def open(self, mode: str = "r", *_: object, **how: Any) -> IO[Any]:  # type: ignore[override]
        """The whole object as a file that can be read."""
        if set(mode) - set("rbt"):
            raise UsageError("objects of a store are written whole", where=self)
        content = self.read_bytes()
        return io.BytesIO(content) if "b" in mode else io.StringIO(content.decode("utf-8"))

    # ------------------------------------------------------------------------------ changing

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing to do: object stores know no folders."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        if missing_ok and not self.exists():
            return
        system, path = self._resolved()
        with explained(str(self)):
            system.delete_file(path)

    def upload(self, file: Path) -> None:
        """Put a file of this machine there, in the place of what may be there."""
        from pyarrow import fs

        system, path = self._resolved()
        with explained(str(self)):
            fs.copy_files(
                str(file), path, source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=system,
            )  # fmt: skip
        there, sent = self.stat().st_size, file.stat().st_size
        if there != sent:
            raise AugliftError(
                f"the object store holds {there:,} of {sent:,} bytes", where=self,
                hint="run the same command again",
            )  # fmt: skip

    # ------------------------------------------------------------------------------ as they are

    def resolve(self, strict: bool = False) -> RemotePath:
        """Itself: addresses are whole."""
        return self

    def absolute(self) -> RemotePath:
        """Itself: addresses are whole."""
        return self

    def iterdir(self) -> Iterator[RemotePath]:  # type: ignore[override]
        """What lies in the folder."""
        return iter(self._children("*"))

    def rename(self, target: Any) -> NoReturn:
        """Refused: object stores rename nothing."""
        raise UsageError("objects of a store cannot be renamed", where=self)

    replace = rename

    # ------------------------------------------------------------------------------ inside

    def _resolved(self) -> tuple[Any, str]:
        if len(self.parts) < 2:
            raise UsageError("an address names a bucket: s3://bucket/key", where=self)
        return resolve(str(self))

    def _looked_up(self) -> tuple[Any, int]:
        """What the store says of it, and a mode as `stat` has it; 0 where nothing is there."""
        from pyarrow.fs import FileType

        system, path = self._resolved()
        with explained(str(self)):
            info = system.get_file_info(path)
        if info.type == FileType.NotFound:
            self._require_bucket()
        return info, {FileType.File: stat.S_IFREG, FileType.Directory: stat.S_IFDIR}.get(
            info.type, 0
        )

    def _children(self, pattern: str) -> list[RemotePath]:
        from pyarrow.fs import FileSelector

        system, path = self._resolved()
        with explained(str(self)):
            found = system.get_file_info(FileSelector(path, allow_not_found=True))
        if not found:
            self._require_bucket()
        names = sorted(info.base_name for info in found)
        return [self / name for name in names if fnmatch.fnmatchcase(name, pattern)]

    def _require_bucket(self) -> None:
        """Raise where not even the bucket is there; nobody means that."""
        require_bucket("//".join(self.parts[:2]))

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            self._require_bucket()
            raise MissingDataError("there is no such object", where=self) from error


@contextmanager
def uploading(path: RemotePath) -> Iterator[Path]:
    """Yield a path on this machine; what it holds at the end is put to `path`, whole."""
    with tempfile.TemporaryDirectory(prefix="auglift-") as folder:
        file = Path(folder) / path.name
        yield file
        path.upload(file)


@contextmanager
def on_disk(path: Path) -> Iterator[Path]:
    """`path` itself, or, of an address, a copy on this machine while the context lasts."""
    if not isinstance(path, RemotePath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="auglift-") as folder:
        file = Path(folder) / path.name
        with path.open_input() as source, explained(str(path)), file.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield file
