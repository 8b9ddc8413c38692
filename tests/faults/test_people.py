"""A server among people who do not know one another."""

import asyncio
import json
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse

from tests.faults.server import PATIENCE, Server, explorer, visit
from tests.training.saves import ended
from tests.views.conftest import at_once, make_run
from vaeviz import DenseVAE, TrainConfig, TrainingRun, load_dataset
from vaeviz.views import ExplorerState
from vaeviz.views.controls import ControlsView
from vaeviz.views.fields import A_PATH
from vaeviz.views.saved_runs import ANOTHER
from vaeviz.views.sharing import for_visitors
from vaeviz.views.status import StatusView

# Who is let in


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a password, for visitors from one place, with a door for a load balancer."""
    options = ("--basic-auth", "opensesame", "--cookie-secret", "a secret of the tests", "--liveness")
    with explorer(tmp_path_factory.mktemp("guarded"), *options) as server:
        yield server


def fetch(address: str, **options: object) -> HTTPResponse:
    async def once() -> HTTPResponse:
        client = AsyncHTTPClient(force_instance=True)
        response = await client.fetch(
            address, raise_error=False, follow_redirects=False, connect_timeout=PATIENCE, request_timeout=PATIENCE,
            **options,
        )  # fmt: skip
        client.close()
        return response

    return asyncio.run(once())


def cookies(*responses: HTTPResponse) -> dict[str, str]:
    jar = SimpleCookie()
    for response in responses:
        for cookie in response.headers.get_list("Set-Cookie"):
            jar.load(cookie)
    return {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}


def login(server: Server, password: str) -> HTTPResponse:
    root = server.address.rsplit("/", 1)[0]
    door = fetch(f"{root}/login")
    body = urlencode({"username": "someone", "password": password})
    return fetch(f"{root}/login", method="POST", body=body, headers=cookies(door))


def test_without_the_password_nobody_sees_the_page(guarded: Server):
    for address in (guarded.address, f"{guarded.address}?run=mnist-2d", f"{guarded.address}/ws"):
        response = fetch(address)
        assert response.code in (302, 400, 401, 403)
        assert b"token" not in response.body
    assert "login?next=" in fetch(guarded.address).headers["Location"]


def test_a_wrong_password_opens_nothing(guarded: Server):
    assert fetch(guarded.address, headers=cookies(login(guarded, "open"))).code == 302


def test_with_the_password_the_whole_app_works(guarded: Server):
    async def watch(headers: dict[str, str]) -> str:
        async with visit(f"{guarded.address}?run={run}", headers) as visitor:
            await visitor.read_messages(3)
            return visitor.page

    run = guarded.ask("train")
    page = asyncio.run(watch(cookies(login(guarded, "opensesame"))))
    assert "vaeviz" in page
    assert guarded.ask("status", run_id=run) == "running"
    guarded.ask("pause", run_id=run)


def test_who_signs_in_gets_no_page_that_was_made_for_anybody(guarded: Server):
    async def come(headers: dict[str, str]) -> None:
        async with visit(guarded.address, headers) as visitor:
            await visitor.read_messages(3)

    guarded.ask("set_ahead", pause=0.0)
    asyncio.run(come(cookies(login(guarded, "opensesame"))))
    assert guarded.ask("made_ahead") == []


def test_a_load_balancer_is_told_that_it_lives(guarded: Server):
    response = fetch(guarded.address.rsplit("/", 1)[0] + "/liveness")
    assert response.code == 200
    assert json.loads(response.body)


def test_a_page_of_another_place_cannot_connect(guarded: Server):
    headers = cookies(login(guarded, "opensesame")) | {"Origin": "http://elsewhere.example"}

    async def connect() -> None:
        async with visit(guarded.address, headers):
            pass

    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(connect())


# Who sees what


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server that strangers share; its folder of runs."""
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path / "secret" / "runs"))
    monkeypatch.setenv("VAEVIZ_SHARED_SERVER", "1")
    return tmp_path / "secret" / "runs"


def somebodys_run(folder: Path) -> TrainingRun:
    data = load_dataset("digits")
    return ended(TrainingRun(DenseVAE(data.image_shape, (8,)), data, TrainConfig(steps=3), folder=folder))


def test_on_a_shared_server_the_runs_of_others_are_not_listed(shared: Path):
    run = somebodys_run(shared / "of somebody")
    saved = ControlsView(ExplorerState(make_run())).saved
    assert set(saved.choice.options) == {"pretrained mnist-2d", "pretrained mnist-50d"}
    assert not saved.label.visible
    saved.choice.options = [str(run.folder)]  # a browser may send anything
    for wish in (str(run.folder), ANOTHER):
        saved.choice.value = wish
        saved.elsewhere.value = str(run.folder)
        at_once(saved._on_open(None))
        assert saved.state.run is not run
        assert saved.state.run.dataset.name == "noise"
        assert saved._folder() is None


def test_on_a_shared_server_no_file_is_read_for_a_visitor(shared: Path, tmp_path: Path):
    np.save(tmp_path / "secret.npy", np.zeros((40, 4, 4), np.uint8))
    controls = ControlsView(ExplorerState(make_run()))
    fields = controls.fields
    assert A_PATH not in fields["data"].options
    for data, path in ((A_PATH, str(tmp_path / "secret.npy")), (str(tmp_path / "secret.npy"), "")):
        fields["data"].options = [*fields["data"].options, data]
        fields["data"].value, fields["path"].value = data, path
        at_once(controls._on_reset(None))
        assert controls.state.run.dataset.name == "noise"
        assert controls.state.alert.endswith("this server reads no files for its visitors")


def test_on_a_shared_server_the_source_of_somebodys_data_is_not_shown(shared: Path, tmp_path: Path):
    np.save(tmp_path / "mine.npy", np.zeros((40, 4, 4), np.uint8))
    data = load_dataset(tmp_path / "mine.npy")
    fields = ControlsView(ExplorerState(make_run(data))).fields
    assert (fields["data"].value, fields["path"].value) == ("mine.npy", "")
    assert fields.make_run().dataset is data  # the same data can be trained on again


def test_on_a_shared_server_a_run_is_saved_and_found_by_its_address_alone(shared: Path):
    from vaeviz.views.runs import restore_run

    run = somebodys_run(shared / "mine")
    saved = ControlsView(ExplorerState(run)).saved
    saved.label.value = "a name of my own"
    at_once(saved._on_save(None))
    assert saved.state.alert == ""
    assert not (shared / "a name of my own").exists()
    assert restore_run(run.id).id == run.id
    assert restore_run(run.id[:-1]) is None


def test_on_a_shared_server_no_folder_of_it_is_named(shared: Path):
    state = ExplorerState(make_run())
    status = StatusView(state)
    state.alert = f"{shared / 'of somebody'} is damaged or was changed"
    assert status._alert.object == "…/of somebody is damaged or was changed"
    assert for_visitors(f"no such file: {Path.home() / 'a'}") == "no such file: …/a"


@pytest.mark.parametrize("told", ["", "0", "false", "No"])
def test_a_server_for_oneself_shows_all(shared: Path, monkeypatch: pytest.MonkeyPatch, told: str):
    monkeypatch.setenv("VAEVIZ_SHARED_SERVER", told)
    run = somebodys_run(shared / "of mine")
    controls = ControlsView(ExplorerState(make_run()))
    assert controls.saved.choice.options["of mine"] == str(run.folder)
    assert ANOTHER in controls.saved.choice.options
    assert A_PATH in controls.fields["data"].options
    assert for_visitors(str(shared)) == str(shared)
