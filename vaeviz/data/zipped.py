"""A ``.zip`` of images, unpacked into a folder whose names it does not choose."""

import errno
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from vaeviz.data.image_folder import IMAGE_SUFFIXES
from vaeviz.data.numpy_file import ZIP_ERRORS
from vaeviz.data.plain import plain_name

MOST_IMAGES = 200_000
"""Images that are unpacked."""


def unzip_images(path: Path, folder: Path, most: int) -> Path:
    """Unpack the images of an archive as an image folder is laid out, and return the folder; nothing else is unpacked.

    Folders around all of them are left out; those within are the classes. A member's name is never used as a path.

    Raises
    ------
    ValueError
        If it is damaged, holds no images, too many, or more than `most` bytes of them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if _is_image(member.filename)]
            if not members or len(members) > MOST_IMAGES:
                raise ValueError(f"{path} holds {len(members):,} images: give a .zip of 1 to {MOST_IMAGES:,} images.")
            unpacked = sum(member.file_size for member in members)
            if unpacked > most:
                raise ValueError(f"{path} unpacks to {unpacked:,} bytes, more than the {most:,} that are allowed.")
            _unpack(archive, members, folder)
    except ZIP_ERRORS as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise ValueError(f"{path} cannot be unpacked: the .zip is damaged or locked, make it again.") from error
    return folder


def _unpack(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path) -> None:
    parents = [_parts(member.filename)[:-1] for member in members]
    # The parents that all of them share: the first and the last in order differ first where any two do.
    first, last = min(parents), max(parents)
    around = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    for number, (member, parts) in enumerate(zip(members, parents, strict=True)):
        place = folder.joinpath(*map(_name, parts[around : around + 1]))
        place.mkdir(parents=True, exist_ok=True)
        name = f"{number:06} {_name(_parts(member.filename)[-1])}"
        with archive.open(member) as packed, (place / name).open("xb") as file:
            shutil.copyfileobj(packed, file)  # no more than the size that was summed: zipfile stops there


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not any(part.startswith((".", "__")) for part in _parts(name))


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _name(part: str) -> str:
    return plain_name(part) or "_"
