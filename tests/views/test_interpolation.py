"""The strip along a route, its controls, what plays, and what is saved: without a browser."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import vaeviz as vz
from tests.views.conftest import look, make_dataset, make_run
from vaeviz.latent import decode
from vaeviz.views import ExplorerState, InterpolationView
from vaeviz.views.film import MOST_FRAMES, checked_film, film_name, make_film
from vaeviz.views.interpolation import COLUMNS, TILES
from vaeviz.views.journey import Journey, plan_journey
from vaeviz.views.pictures import to_bytes


@pytest.fixture
def view(state: ExplorerState) -> InterpolationView:
    view = InterpolationView(state)
    view._layout.get_root()
    return view


def strip(view: InterpolationView) -> np.ndarray:
    (source,) = view._strip.sources
    return source.data["image"][0]


def shown(view: InterpolationView) -> np.ndarray:
    (source,) = view._now.sources
    return source.data["image"][0]


def seen(view: InterpolationView) -> list[str]:
    """Return what the controls of the present route are called."""
    return [part.label or part.placeholder for part in view.controls._layout
            if part.visible and hasattr(part, "label") and not hasattr(part, "options")]  # fmt: skip


def decoded(state: ExplorerState, code: np.ndarray) -> np.ndarray:
    """Return a decoded code as Bokeh has it: bytes, the bottom row first."""
    return to_bytes(decode(state.frame.snapshot.vae, code[None].astype(np.float32)))[0, 0, ::-1]


def test_the_strip_begins_at_a_and_ends_at_b_and_the_large_image_is_at_t(view: InterpolationView):
    state, picture = view.state, strip(view)
    assert picture.shape == (12, 8 * COLUMNS)
    first, last = decoded(state, state.endpoints[0]), decoded(state, state.endpoints[1])
    assert np.abs(picture[6:, :8].astype(int) - first).max() <= 1  # the first row is on top
    assert np.abs(picture[:6, -8:].astype(int) - last).max() <= 1
    state.path_at = 1.0
    assert np.abs(shown(view).astype(int) - last).max() <= 1
    assert view._tile() == TILES - 1


@pytest.mark.parametrize("latent_dim", [1, 2, 50])
@pytest.mark.parametrize("route", ["A to B", "morph", "walk", "drawn"])
def test_each_route_has_a_strip_and_only_its_own_controls(route: str, latent_dim: int):
    view = InterpolationView(make_run(latent_dim=latent_dim))
    view._layout.get_root()
    before = seen(view)
    view.state.route = route
    view.state.drawn = np.array([[0.0, 0], [1, 1]])
    assert strip(view).shape == (12, 8 * COLUMNS)
    assert (seen(view) == before) == (route == "A to B")
    assert seen(view)


def test_nothing_is_decoded_before_a_line_is_drawn_and_the_pencil_is_at_hand(view: InterpolationView):
    view.state.route = "drawn"
    assert view.state.drawing
    assert strip(view).shape == (1, 1)
    assert view._tile() == -1
    view.state.drawn = np.array([[0.0, 0], [1, 1]])
    assert view._tile() >= 0
    view.state.route = "A to B"
    assert not view.state.drawing


def test_what_is_not_on_the_screen_is_not_decoded_and_catches_up(view: InterpolationView):
    before = strip(view)
    view.playing = True
    view.shown = False
    assert not view.playing
    view.state.route = "walk"
    assert strip(view) is before
    view.shown = True
    assert (strip(view) != before).any()


def test_play_goes_to_and_fro_between_a_and_b(view: InterpolationView):
    view.state.path_at = 0.98
    went = []
    for _ in range(4):
        view.advance()
        went.append(view.state.path_at)
    assert went == pytest.approx([0.99, 1.0, 0.99, 0.98])
    view.state.path_at = 0.01
    view.advance()
    view.advance()
    assert view.state.path_at == pytest.approx(0.01)


def test_play_goes_round_in_a_morph_as_many_frames_at_once_as_the_speed_says(view: InterpolationView):
    view.state.param.update(route="morph", morph_rows=[1, 2], frames_per_leg=4)
    view.speed = 2
    view.state.path_at = 0.5
    went = []
    for _ in range(4):
        view.advance()
        went.append(view.state.path_at)
    assert went == [0.75, 0.0, 0.25, 0.5]


def test_an_example_is_followed_by_its_number_and_let_go_by_an_empty_field(view: InterpolationView):
    state, (a, b) = view.state, view.controls.examples
    a.value = "#7"
    b.value = "11"
    assert state.endpoint_rows == (7, 11)
    assert state.endpoints == pytest.approx(state.frame.snapshot.mu[[7, 11]])
    state.run.start()
    state.run.wait()
    look(state)
    assert state.endpoints == pytest.approx(state.frame.snapshot.mu[[7, 11]])
    a.value = ""
    assert state.endpoint_rows == (None, 11)
    state.place_endpoint(1, np.zeros(2))
    assert b.value == ""


def test_a_number_out_of_range_is_told_at_its_field_and_the_picture_stays(view: InterpolationView):
    state, field = view.state, view.controls.examples[1]
    before, ends = strip(view), state.endpoints
    field.value = "60"
    assert field.error_state
    assert state.alert == "B, example '60': must be a whole number from 0 to 59, or empty"
    assert strip(view) is before
    assert state.endpoints is ends
    field.value = "59"
    assert not field.error_state
    assert state.endpoint_rows == (None, 59)


@pytest.mark.parametrize(
    ("field", "words", "reason"),
    [
        ("leg", "0", "frames a leg is '0': it must be a whole number from 1 to 100"),
        ("seed", "-1", "seed is '-1': it must be a whole number from 0"),
        ("length", "1e3", "frames is '1e3': it must be a whole number from 2 to 2,000"),
    ],
)
def test_a_bad_number_is_told_and_changes_nothing(view: InterpolationView, field: str, words: str, reason: str):
    state = view.state
    before = state.frames_per_leg, state.walk_seed, state.walk_frames
    getattr(view.controls, field).value = words
    assert state.alert == reason
    assert getattr(view.controls, field).error_state
    assert (state.frames_per_leg, state.walk_seed, state.walk_frames) == before


def test_a_morph_goes_through_the_selection_in_its_order(view: InterpolationView):
    view.state.route = "morph"
    view.state.selection = [9, 3, 5]
    view.controls._on_chosen(None)
    assert view.state.morph_rows == [9, 3, 5]
    view.controls._on_typical(None)
    assert view.state.morph_rows == []


@pytest.mark.parametrize("selection", [[], [4]])
def test_too_few_selected_ones_are_told_and_change_nothing(view: InterpolationView, selection: list[int]):
    view.state.selection = selection
    ends, before = view.state.endpoints, strip(view)
    view.controls._on_chosen(None)
    assert "a morph goes through 2 to 50" in view.state.alert
    view.controls._on_pick(None)
    assert "A and B need 2 examples" in view.state.alert
    assert view.state.morph_rows == []
    assert view.state.endpoints is ends
    assert strip(view) is before


def test_a_drag_sends_nothing_about_the_tiles_shape(view: InterpolationView):
    told = []
    for source in view._shapes.values():
        source.on_change("data", lambda attr, old, new: told.append(new))
    view.state.place_endpoint(0, np.array([0.3, 0.4]))
    assert told == []
    view.state.run = make_run(make_dataset(height=9))
    assert told == [{"ratio": [9 / 8]}] * 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_film_of_a_loop_has_each_frame_once_and_another_route_goes_back(channels: int):
    vae = make_run(make_dataset(channels)).snapshot().vae
    codes = np.linspace(-2, 2, 10).reshape(5, 2)
    told = []
    for loop, frames in ((True, 5), (False, 8)):
        film = make_film(vae, Journey(codes, loop), "walk.gif", 20, lambda done, total: told.append((done, total)))
        assert Image.open(io.BytesIO(film)).n_frames == frames
        assert told[-1] == (frames, frames)


def test_a_film_is_made_beside_the_page_and_handed_over_with_its_name(view: InterpolationView):
    state, film = view.state, view.film
    state.param.update(route="morph", morph_rows=[1, 2], frames_per_leg=3)

    async def save() -> None:
        film._on_save("gif")
        assert film.busy
        film._on_save("mp4")  # one at a time: this one is not begun
        await film._task

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(asyncio.run, save()).result()
    assert not film.busy
    assert film._download.filename == film_name(state, "gif") == "morph-step-0.gif"
    assert film._download.data.startswith("data:image/gif;base64,")


def test_what_cannot_be_saved_is_told_in_words(view: InterpolationView):
    view.state.route = "drawn"
    view.film._on_save("gif")
    assert "no line is drawn yet" in view.state.alert
    assert not view.film.busy
    with pytest.raises(ValueError, match="at most 1,000 are saved"):
        checked_film(Journey(np.zeros((MOST_FRAMES + 1, 2)), loop=False))


def test_the_planes_show_the_route_and_its_ends_only_from_a_to_b(state: ExplorerState):
    plane = vz.LatentView(state)
    plane._layout.get_root()
    (marks,) = plane._marks.values()
    assert marks.ends.data["name"] == ["A", "B"]
    state.place_endpoint(0, np.array([0.5, 0.5]), "latent")
    state.route = "walk"
    assert marks.ends.data["name"] == []
    line = state.in_plane(plan_journey(state).codes)
    assert np.stack((marks.path.data["x"], marks.path.data["y"]), axis=1) == pytest.approx(line)
    state.route = "A to B"
    assert marks.ends.data["x"][0] == 0.5


def test_a_line_drawn_on_a_plane_becomes_the_route_in_z(state: ExplorerState):
    plane = vz.ManifoldView(state)
    plane._layout.get_root()
    state.route = "drawn"
    (pencil,) = plane._pencils.values()
    pencil._stroke.data = {"x": [0.1587, 0.5, 0.8413], "y": [0.5, 0.5, 0.5]}  # Φ(-1), Φ(0), Φ(1)
    assert state.drawn == pytest.approx(np.array([[-1, 0], [0, 0], [1, 0]]), abs=1e-3)
    state.drawing = True
    assert pencil._on.data == {"on": [True]}
