"""A delivery: some files of one month, each replaced at once, and a description of them that comes last."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec.core import url_to_fs

from app.export.shapes import TIME_FORMAT

PART = ".part"
DESCRIPTION = "metadata.json"
COMPRESSION = "zstd"
ROWS_A_GROUP = 131_072
LINES_AT_ONCE = 8_192  # as text they are ten times as large
END = b"\n"


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


class DeliveryError(Exception):
    """Why nothing can be delivered there, as a sentence."""


@dataclass(slots=True)
class Written:
    """What is known of a file once it is whole."""

    rows: int = 0
    size: int = 0
    sha256: str = ""


class _Hashed:
    """A file that is written from its beginning to its end, and what it comes to."""

    def __init__(self, raw: Any) -> None:
        self._raw, self._hash, self.size, self.closed = raw, sha256(), 0, False

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._hash.update(view)
        self._raw.write(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._raw.flush()

    def close(self) -> None:
        """Arrow closes what it wrote to; the file is closed by whoever opened it."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    @property
    def hex(self) -> str:
        return self._hash.hexdigest()


class Writer(Protocol):
    def write(self, batch: Any) -> None: ...
    def close(self) -> None: ...


class _Parquet:
    def __init__(self, sink: Any, schema: Any) -> None:
        # Readers shall see texts, not how we held them: so without Arrow's own schema.
        self._writer = pq.ParquetWriter(sink, schema, compression=COMPRESSION, store_schema=False)

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch, row_group_size=ROWS_A_GROUP)

    def close(self) -> None:
        self._writer.close()


class _Csv:
    """Numbers have a point and no needless zeros, times end in Z, and what is null is an empty cell."""

    def __init__(self, sink: Any, schema: Any) -> None:
        self._sink = sink
        sink.write(",".join(each.name for each in schema).encode() + END)

    def write(self, batch: Any) -> None:
        for done in range(0, batch.num_rows, LINES_AT_ONCE):
            self._write(batch.slice(done, LINES_AT_ONCE))

    def _write(self, batch: Any) -> None:
        *cells, last = (pc.fill_null(_text(each), "") for each in batch.columns)
        last = pc.binary_join_element_wise(last, END.decode(), "")
        lines = pc.binary_join_element_wise(*cells, last, ",")
        # The bytes of all lines, one behind the other.
        self._sink.write(lines.buffers()[2])

    def close(self) -> None:
        """There is nothing behind the last row."""


def _text(array: Any) -> Any:
    """A column as cells of CSV."""
    if pa.types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, _quoted(array.dictionary)).cast(pa.string())
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array.cast(pa.timestamp("s", tz="UTC")), format=TIME_FORMAT)
    if not pa.types.is_decimal(array.type):
        return _quoted(array.cast(pa.string()))
    trimmed = pc.utf8_rtrim(_plain(array), characters="0")
    return pc.if_else(pc.ends_with(trimmed, pattern="."), pc.binary_join_element_wise(trimmed, "0", ""), trimmed)


def _quoted(texts: Any) -> Any:
    """Texts with quotes around those that need them."""
    doubled = pc.replace_substring(texts, pattern='"', replacement='""')
    needed = pc.match_substring_regex(texts, pattern='[",\r\n]')
    return pc.if_else(needed, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def _plain(array: Any) -> Any:
    """Decimals as text with all their places: Arrow writes an exponent where there are many zeros."""
    text = array.cast(pa.string())
    if not pc.any(pc.match_substring(text, pattern="E")).as_py():
        return text
    return pa.array([None if each is None else f"{each:f}" for each in array.to_pylist()], pa.string())


@dataclass
class Delivery:
    """The files of a month in a folder. Nothing there changes before all of them are whole."""

    system: Any
    folder: str
    kind: Format
    files: dict[str, Written] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    @contextmanager
    def dataset(self, name: str, schema: Any) -> Iterator["Dataset"]:
        """Write a dataset; batches are written while the next ones are made."""
        file = f"{name}.{self.kind.value}"
        with self.system.open(f"{self.folder}/{file}{PART}", "wb") as raw:
            sink = _Hashed(raw)
            writer: Writer = _Csv(sink, schema) if self.kind is Format.CSV else _Parquet(_python_file(sink), schema)
            dataset = Dataset(writer, self._pool)
            try:
                yield dataset
            finally:  # before the file closes, whatever happened
                dataset.finish()
        self.files[file] = Written(dataset.rows, sink.size, sink.hex)

    def finish(self, description: Mapping[str, Any]) -> None:
        """Replace what was there by what was written. The description names all that counts, and is replaced last."""
        raw = json.dumps(description, indent=2, ensure_ascii=False).encode() + b"\n"
        with self.system.open(f"{self.folder}/{DESCRIPTION}{PART}", "wb") as file:
            file.write(raw)
        for name in self.files:
            self._replace(name)
        self._remove_others()
        self._replace(DESCRIPTION)

    def _replace(self, name: str) -> None:
        self.system.mv(f"{self.folder}/{name}{PART}", f"{self.folder}/{name}")

    def _remove_others(self) -> None:
        """What an earlier delivery left: the same in another format, or a dataset that there is no more."""
        ours = {*self.files, DESCRIPTION, DESCRIPTION + PART}
        for path in self.system.ls(self.folder, detail=False):
            name = str(path).rpartition("/")[2]
            if name not in ours and name.removesuffix(PART).rpartition(".")[2] in set(Format):
                self.system.rm_file(path)


class Dataset:
    """One file being written."""

    def __init__(self, writer: Writer, pool: ThreadPoolExecutor) -> None:
        self.rows = 0
        self._writer, self._pool = writer, pool
        self._last: Future[None] | None = None

    def write(self, rows: int, made: Callable[[], Any]) -> None:
        """Make a batch of so many rows and write it behind those before, while the next ones are gathered."""
        self._wait()
        self.rows += rows
        self._last = self._pool.submit(lambda: self._writer.write(made()))

    def finish(self) -> None:
        self._wait()
        self._writer.close()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()
            self._last = None


def _python_file(sink: _Hashed) -> Any:
    return pa.PythonFile(sink, mode="w")


def opened(url: str, parts: str, kind: Format) -> Delivery:
    """A delivery to a folder below a path or URL, which is made where it is missing."""
    try:
        system, root = url_to_fs(url)
        folder = f"{str(root).rstrip('/')}/{parts}"
        system.makedirs(folder, exist_ok=True)
    except (ImportError, ValueError, OSError) as error:
        raise DeliveryError(f"Nothing can be written to {url}: {error}") from error
    return Delivery(system, folder, kind)
