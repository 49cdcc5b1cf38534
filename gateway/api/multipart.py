"""``multipart/form-data``, read as it comes: fields into memory under a limit, the file onto the disk under another.

The file has no name on the disk (it is unlinked before its first byte), so nothing of it outlives the request or the
process, however they end.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.api.client import Client
from gateway.errors import BadRequest, TooLarge

MAX_FIELDS = 64
MAX_FIELD_BYTES = 64 * 1024
MAX_HEADER_BYTES = 4 * 1024
_OVERHEAD = 256 * 1024  # of fields, headers and borders, beside the file
_PIECE = 256 * 1024


@dataclass
class Upload:
    """A file on the disk, without a name there. ``filename`` is the client's, and only told, never used as a path."""

    content: IO[bytes]
    filename: str
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        return self.digest.hexdigest()

    def add(self, data: bytes) -> None:
        self.content.write(data)
        self.digest.update(data)
        self.size += len(data)

    def head(self, length: int) -> bytes:
        self.content.seek(0)
        return self.content.read(length)

    def parts(self) -> Iterator[bytes]:
        self.content.seek(0)
        while part := self.content.read(_PIECE):
            yield part

    def close(self) -> None:
        self.content.close()


@dataclass
class Form:
    """What was sent: every field's values in order, and the file."""

    fields: dict[str, list[str]]
    upload: Upload | None = None

    def close(self) -> None:
        if self.upload:
            self.upload.close()

    def required_upload(self) -> Upload:
        """Raises BadRequest when there was no file, or an empty one."""
        if self.upload is None:
            raise BadRequest("'file' is missing.", code="missing_required_parameter", param="file")
        if not self.upload.size:
            raise BadRequest("'file' is empty.", code="empty_file", param="file")
        return self.upload


async def read_form(client: Client, folder: Path, limit: int) -> Form:
    """Read the whole form; its file may have ``limit`` bytes. The caller closes it.

    Raises BadRequest, TooLarge (as soon as it is known), BodyTimeout, ClientGone.
    """
    kind, options = parse_options_header(client.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise BadRequest("Send the file as multipart/form-data.", code="invalid_form")
    reader = _Reader(folder, limit)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for part in client.parts(limit + _OVERHEAD, told=limit):
            parser.write(part)
        parser.finalize()
        if not reader.ended:
            raise BadRequest("The form breaks off before its end.", code="invalid_form")
    except FormParserError:
        reader.form.close()
        raise BadRequest("The form is broken.", code="invalid_form") from None
    except BaseException:
        reader.form.close()
        raise
    return reader.form


class _Reader:
    """Collects what the parser finds."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.form, self.ended = Form({}), False
        self._folder, self._limit = folder, limit
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        self._name, self._field, self._in_file, self._parts = "", bytearray(), False, 0

    def callbacks(self) -> Any:
        """By the parser's names for them."""
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end")
        return {f"on_{name}": getattr(self, name) for name in (*names, "headers_finished", "end")}

    def part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise BadRequest(f"The form has more than {MAX_FIELDS} fields.", code="invalid_form")
        self._disposition, self._field = b"", bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._bound_header()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bound_header()

    def _bound_header(self) -> None:
        if len(self._header) + len(self._value) > MAX_HEADER_BYTES:
            raise BadRequest("A header inside the form is too long.", code="invalid_form")

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""), "a field's name")
        self._in_file = self._name == "file"
        if not self._name:
            raise BadRequest("A field of the form has no name.", code="invalid_form")
        if self._in_file and self.form.upload is not None:
            raise BadRequest("The form has more than one 'file'.", code="invalid_form", param="file")
        if self._in_file:
            filename = options.get(b"filename", b"").decode("utf-8", "replace")
            self.form.upload = Upload(tempfile.TemporaryFile(dir=self._folder), filename[:255])  # noqa: SIM115

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file and self.form.upload is not None:
            if self.form.upload.size + end - start > self._limit:
                raise TooLarge(self._limit)
            self.form.upload.add(data[start:end])
            return
        self._field += data[start:end]
        if len(self._field) > MAX_FIELD_BYTES:
            raise BadRequest(f"'{self._name[:60]}' is longer than {MAX_FIELD_BYTES} bytes.", param=self._name[:60])

    def part_end(self) -> None:
        if not self._in_file:
            self.form.fields.setdefault(self._name, []).append(_text(bytes(self._field), f"'{self._name[:60]}'"))

    def end(self) -> None:
        self.ended = True


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{what} is not valid UTF-8.", code="invalid_form") from None
