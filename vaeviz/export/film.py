"""Frames as a film: GIF with one palette for all, or H.264 that any player takes."""

import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from scipy.spatial import KDTree

SUFFIXES = (".gif", ".mp4")
PALETTE_FRAMES = 6
GRAY_WITHIN = 6
COMMON = 32
"""Hues that a GIF keeps exactly: the commonest."""

CRF = 20  # constant quality of H.264: 0 is lossless, above 23 one sees it
BT709 = [
    "-vf",
    "scale=out_color_matrix=bt709:out_range=tv",
    "-colorspace",
    "bt709",
    "-color_primaries",
    "bt709",
    "-color_trc",
    "bt709",
]


def write_gif(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "H W C"]],
    seconds: Sequence[float],
    *,
    grays: int = 64,
    hues: int = 191,
) -> None:
    """Write frames, gray or RGB, that stand for so many seconds each (in hundredths, at least 2), as an endless GIF.

    The fewer grays and hues, the smaller the file; one colour of 256 is left to mark what stays the same.
    """
    pictures = _paletted(list(frames), grays, hues)
    durations = [10 * max(2, round(100 * each)) for each in seconds]
    pictures[0].save(path, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)


def write_mp4(path: Path, frames: Iterable[UInt8[np.ndarray, "H W C"]], repeats: Iterable[int], fps: float) -> None:
    """Write frames of even sizes, gray or RGB, each so many times, as H.264 in yuv420p at so many frames a second.

    Raises
    ------
    OSError
        If ffmpeg cannot; its own words say why.
    """
    pictures = iter(frames)
    first = next(pictures)
    height, width, channels = first.shape
    rate = str(Fraction(fps).limit_denominator())
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24" if channels == 3 else "gray", "-s", f"{width}x{height}", "-r", rate]
    h264 = ["-an", "-c:v", "libx264", "-crf", str(CRF), "-pix_fmt", "yuv420p", *BT709, "-movflags", "+faststart"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *raw, "-i", "-", *h264, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        try:
            for frame, times in zip(chain([first], pictures), repeats, strict=True):
                for _ in range(times):
                    encoder.stdin.write(frame.tobytes())
        except BrokenPipeError:
            pass  # the encoder has ended, and says why itself
        except BaseException:
            encoder.kill()
            encoder.wait()
            raise
        _, words = encoder.communicate()
    if encoder.returncode:
        raise OSError(f"ffmpeg could not write {path.name}: {words.decode(errors='replace').strip()}")


def _paletted(frames: list[UInt8[np.ndarray, "H W C"]], grays: int, hues: int) -> list[Image.Image]:
    """Return frames with one palette, so that no colour flickers."""
    ramp = np.linspace(0, 255, grays).round().astype(np.uint8)[:, None].repeat(3, axis=1)  # (grays, 3)
    if frames[0].shape[-1] == 1:
        pictures = [Image.fromarray((frame[..., 0] / 255 * (grays - 1)).round().astype(np.uint8)) for frame in frames]
        for picture in pictures:
            picture.putpalette(ramp.tobytes())
        return pictures
    palette = np.concatenate((ramp, _hues(frames, hues)))
    nearest = KDTree(palette)
    return [_indexed(frame, palette, nearest) for frame in frames]


def _indexed(frame: UInt8[np.ndarray, "H W 3"], palette: UInt8[np.ndarray, "colors 3"], nearest: KDTree) -> Image.Image:
    """Return a frame whose pixels are the nearest colours of the palette (Pillow's own search is off by a few)."""
    packed = frame.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)  # (H, W)
    colors, places = np.unique(packed, return_inverse=True)
    _, index = nearest.query(np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1))
    picture = Image.fromarray(np.asarray(index, np.uint8)[places.reshape(packed.shape)])
    picture.putpalette(palette.tobytes())
    return picture


def _hues(frames: list[UInt8[np.ndarray, "H W 3"]], count: int) -> UInt8[np.ndarray, "hues 3"]:
    """Return the colours that are no grays: the commonest as they are, for the others their best approximations.

    Each counts once, however large an area it has: a class of few points keeps its colour.
    """
    some = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, PALETTE_FRAMES).round().astype(int))]
    pixels = np.concatenate([frame.reshape(-1, 3) for frame in some])
    pixels = pixels[pixels.max(1) - pixels.min(1) > GRAY_WITHIN]
    colors, times = np.unique(pixels, axis=0, return_counts=True)
    if len(colors) <= count:
        return colors
    common = colors[np.argsort(-times, kind="stable")[:COMMON]]
    reduced = Image.fromarray(colors[None]).quantize(count - COMMON, Image.Quantize.MEDIANCUT)
    others = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
    return np.concatenate((common, others))
