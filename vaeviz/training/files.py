"""Files that are whole or not there: written under another name first, read with their checksum."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

LARGEST_FILE = 8 * 2**30
SUFFIX = ".safetensors"
UNFINISHED = ".unfinished"


class Entry(NamedTuple):
    """A file of tensors: where it lies in its folder, and how to know that it is whole."""

    file: str
    size: int
    blake2b: str


def put_tensors(folder: Path, stem: str, tensors: Mapping[str, Tensor]) -> Entry:
    """Write tensors into a file whose name begins with `stem` and ends with the checksum of what is in it."""
    body = save(apart(tensors))
    digest = digest_of(body)
    entry = Entry(f"{stem}-{digest[:16]}{SUFFIX}", len(body), digest)
    put(folder / entry.file, body)
    return entry


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors none of which shares memory with another, as safetensors wants them: modules may be tied."""
    taken: set[int] = set()
    result = {}
    for name, value in tensors.items():
        storage = value.untyped_storage().data_ptr()
        result[name] = value.clone(memory_format=torch.contiguous_format) if storage in taken else value.contiguous()
        taken.add(storage)
    return result


def get_tensors(folder: Path, entry: Entry) -> dict[str, Tensor]:
    """Read tensors back.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ValueError
        If it is not what was written, to the bit.
    """
    path = folder / entry.file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: the save is not whole, take a copy of the folder that is")
    size = path.stat().st_size
    if size != entry.size or size > LARGEST_FILE:
        raise damaged(path, f"it has {size:,} bytes, but {entry.size:,} were written")
    body = path.read_bytes()
    if digest_of(body) != entry.blake2b:
        raise damaged(path, "its checksum is not that of what was written")
    try:
        return load(body)
    except (SafetensorError, KeyError) as error:
        raise damaged(path, f"it does not read as safetensors ({error})") from None


def put(path: Path, body: bytes) -> None:
    """Write a file so that, whatever happens and whenever, there is the old one whole or the new one whole."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        write(unfinished, body)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write(path: Path, body: bytes) -> None:
    """Write bytes and wait until the disk has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())


def digest_of(body: bytes | memoryview) -> str:
    """Return the checksum of bytes."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def damaged(where: Path, what: str) -> ValueError:
    """Return the error of a file that cannot be trusted."""
    return ValueError(f"{where} is damaged or was changed: {what}; take a copy of the folder that is whole")


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
