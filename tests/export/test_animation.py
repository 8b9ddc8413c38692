import os
import re
import stat
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from tests.export.conftest import make_dataset, make_run, sloping_run
from vaeviz import export_animation, export_walk
from vaeviz.export.film import write_mp4
from vaeviz.export.planes import Planes
from vaeviz.latent import linear_path
from vaeviz.palette import CLASSES

SMALL = {"side": 3, "progress": False}


def gif(path):
    """Return a GIF's frames as RGB, and how long each stands in milliseconds."""
    with Image.open(path) as image:
        frames, durations = [], []
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
        assert image.info["loop"] == 0
    return frames, durations


def mp4(path):
    """Return a film's frames, and what it says of itself."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    read = subprocess.run(command, check=True, capture_output=True)
    words = re.search(r"Video: (\w+).*?(yuv\w+).*? (\d+)x(\d+).*? ([\d.]+) fps", read.stderr.decode())
    codec, pixels, width, height, fps = words.groups()
    about = {"codec": codec, "pix_fmt": pixels, "size": (int(width), int(height)), "fps": float(fps)}
    return np.frombuffer(read.stdout, np.uint8).reshape(-1, int(height), int(width), 3), about


@pytest.fixture(scope="module")
def as_gif(run, tmp_path_factory):
    return export_animation(run, tmp_path_factory.mktemp("gif") / "evolution.gif", **SMALL)


@pytest.fixture(scope="module")
def as_film(run, tmp_path_factory):
    return mp4(export_animation(run, tmp_path_factory.mktemp("mp4") / "evolution.mp4", **SMALL))


def test_a_gif_has_a_frame_for_each_kept_step_and_the_last_stands_longer(run, tmp_path):
    path = export_animation(run, tmp_path / "evolution.GIF", seconds_per_step=0.3, **SMALL)
    frames, durations = gif(path)
    assert path == tmp_path / "evolution.GIF"
    assert len(frames) == len(run.steps) == 6
    assert durations == [300] * 5 + [2300]


def test_each_frame_of_a_gif_shows_its_step(run, as_gif):
    frames, _ = gif(as_gif)
    planes = Planes(run.dataset, 2, side=3)
    for step, frame in zip(run.steps, frames, strict=True):
        planes.show(run.snapshot(step))
        assert np.abs(frame.astype(int) - planes.pixels()).mean() < 3


def test_what_stands_still_has_the_same_colour_in_every_frame(run, tmp_path):
    frames, _ = gif(export_animation(run, tmp_path / "evolution.gif", what="scatter", **SMALL))
    margin = np.stack(frames)[:, :, -70:]  # the legend
    assert (margin == margin[0]).all()
    for color in CLASSES[:3]:
        assert (margin[0] == np.round(255 * np.array(to_rgb(color)))).all(-1).any()
    assert (frames[0][-3:] == 255).all()


def test_a_film_is_h264_with_even_sizes_and_stands_as_long_as_asked(as_film):
    frames, about = as_film
    assert about["codec"] == "h264"
    assert about["pix_fmt"] == "yuv420p"
    assert len(frames) / about["fps"] == pytest.approx(6 * 0.4 + 2)
    assert all(side % 2 == 0 for side in about["size"])


def test_the_last_frame_of_a_film_has_the_colours_of_the_figure(run, as_film):
    frames, _ = as_film
    planes = Planes(run.dataset, 2, side=3)
    planes.show(run.snapshot())
    assert np.abs(frames[-1].astype(int) - planes.pixels(200)).mean() < 3


@pytest.mark.parametrize("what", ["scatter", "manifold"])
def test_one_plane_alone_is_smaller_than_both(run, as_gif, tmp_path, what):
    alone = gif(export_animation(run, tmp_path / "one.gif", what=what, **SMALL))[0][0]
    both = gif(as_gif)[0][0]
    assert alone.shape[1] < both.shape[1]


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_runs_of_other_dimensions_in_colour_are_animated_too(tmp_path, latent_dim):
    run = make_run(make_dataset(channels=3), latent_dim, steps=2)
    assert len(gif(export_animation(run, tmp_path / "evolution.gif", **SMALL))[0]) == 3


def test_the_same_run_gives_the_same_gif(run, as_gif, tmp_path):
    again = export_animation(run, tmp_path / "again.gif", **SMALL)
    assert again.read_bytes() == as_gif.read_bytes()


def test_progress_is_told_to_whom_asks(run, tmp_path):
    seen = []
    export_animation(run, tmp_path / "evolution.gif", side=3, progress=lambda *how_far: seen.append(how_far))
    assert seen == [(done, 6) for done in range(7)]


def test_a_bar_is_shown_on_the_terminal_and_ends_its_line(run, tmp_path, capsys):
    export_animation(run, tmp_path / "evolution.gif", side=3)
    words = capsys.readouterr()
    assert words.out == ""
    assert words.err.endswith("evolution.gif " + "█" * 30 + " 6 of 6\n")


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_an_export_that_is_ended_leaves_nothing_and_spares_the_file_before_it(run, tmp_path, suffix):
    path = tmp_path / f"evolution{suffix}"
    path.write_bytes(b"before")

    def enough(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_animation(run, path, side=3, progress=enough)
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_an_export_leaves_one_file_that_others_may_read_as_any_other(run, tmp_path, suffix):
    (tmp_path / "plain").touch()
    path = export_walk(run.snapshot().vae, [[0, 0], [1, 1]], tmp_path / f"walk{suffix}", progress=False)
    assert set(os.listdir(tmp_path)) == {"plain", path.name}
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_walk_shows_each_code_enlarged_by_a_whole_number_and_goes_back(tmp_path):
    vae = sloping_run(height=6, width=8).snapshot().vae
    codes = linear_path(np.array([-1.0, 0.0]), np.array([1.0, 0.0]), 4)
    frames, durations = gif(export_walk(vae, codes, tmp_path / "walk.gif", fps=10, progress=False))
    assert {frame.shape for frame in frames} == {(6 * 32, 8 * 32, 3)}
    light = [int(frame[0, 0, 0]) for frame in frames]
    expected = 255 / (1 + np.exp(-2 * codes[:, 0]))
    assert np.abs(np.array(light) - expected[[0, 1, 2, 3, 2, 1]]).max() < 3
    assert durations == [100] * 6


def test_a_walk_of_a_loop_does_not_go_back(tmp_path):
    vae = sloping_run(channels=3).snapshot().vae
    codes = [[-1, 0], [0, 1], [1, 0]]
    frames, _ = gif(export_walk(vae, codes, tmp_path / "walk.gif", back=False, pixels=1, progress=False))
    assert [frame.shape for frame in frames] == [(6, 6, 3)] * 3
    assert frames[0][0, 0, 0] < frames[1][0, 0, 0] < frames[2][0, 0, 0]


def test_a_walk_as_a_film_has_even_sizes_whatever_the_images(tmp_path):
    vae = sloping_run(height=5, width=7).snapshot().vae
    frames, about = mp4(export_walk(vae, [[-1, 0], [1, 0]], tmp_path / "walk.mp4", fps=12, progress=False))
    assert about["size"] == (7 * 38, 5 * 38)
    assert about["fps"] == 12
    assert len(frames) == 2
    assert [int(frame.mean()) for frame in frames] == pytest.approx([30, 225], abs=4)


def test_an_animation_needs_a_training(tmp_path):
    with pytest.raises(ValueError, match="has kept 1 of the 2 snapshots that an animation needs: train first"):
        export_animation(sloping_run(), tmp_path / "evolution.gif")


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("evolution.avi", {}, ValueError, "its suffix must be .gif or .mp4"),
        ("evolution", {}, ValueError, "its suffix must be .gif or .mp4"),
        ("nowhere/evolution.gif", {}, FileNotFoundError, "there is no folder .*nowhere'; make it first"),
        ("evolution.gif", {"what": "loss"}, ValueError, "what='loss'"),
        ("evolution.gif", {"seconds_per_step": 0}, ValueError, "seconds_per_step=0: must be from 0.02 to 60"),
    ],
)
def test_an_animation_that_cannot_be_made_is_told_at_once(run, tmp_path, name, options, error, words):
    with pytest.raises(error, match=words):
        export_animation(run, tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("codes", "options", "words"),
    [
        ([[0, 0]], {}, "codes: 1 given; at least 2 are needed"),
        ([0, 0], {}, r"codes have shape \(2,\); expected \(F, 2\)"),
        (np.zeros((3, 5)), {}, r"codes have shape \(3, 5\)"),
        ([[0, 0], [0, np.nan]], {}, "codes: row 1 is not finite"),
        ([[0, 0], [1, 1]], {"fps": 0}, "fps=0: must be above 0, and at most 50"),
        ([[0, 0], [1, 1]], {"pixels": 0}, "pixels=0"),
    ],
)
def test_a_walk_that_cannot_be_made_is_told_at_once(run, tmp_path, codes, options, words):
    with pytest.raises(ValueError, match=words):
        export_walk(run.snapshot().vae, codes, tmp_path / "walk.gif", **options)
    assert os.listdir(tmp_path) == []


def test_a_film_that_cannot_be_written_is_told_in_the_words_of_the_encoder(tmp_path):
    with pytest.raises(OSError, match=r"ffmpeg could not write walk\.mp4: .*No such file"):
        write_mp4(tmp_path / "nowhere" / "walk.mp4", [np.zeros((16, 16, 1), np.uint8)] * 2, [1, 1], 10)


def test_a_folder_of_that_name_is_told(run, tmp_path):
    (tmp_path / "evolution.gif").mkdir()
    with pytest.raises(IsADirectoryError, match="a folder has that name"):
        export_animation(run, tmp_path / "evolution.gif")
