"""The drawing of the model: every layer with its words, its bar, and nothing of it is markup but ours."""

import asyncio
import re

import pytest
import torch
from torch import nn

import vaeviz as vz
from tests.views.conftest import make_dataset, make_run
from vaeviz.views import ExplorerState, ModelView


def scopes(view: ModelView) -> dict[str, str]:
    """Return the markup of each part by its name."""
    return dict(re.findall(r"<h4>(\w+) .*?</h4>(.*?)</section>", view._graph.object, re.DOTALL))


def bars(markup: str) -> list[float]:
    return [float(height) for height in re.findall(r"height:([\d.]+)%", markup)]


def test_the_parts_stand_from_input_to_objective():
    view = ModelView(make_run())
    assert list(scopes(view)) == ["input", "encoder", "posterior", "decoder", "output", "objective"]
    total = sum(weight.numel() for weight in view.state.run.model.parameters())
    assert f"{total:,} parameters" in view._title.object


def test_a_layer_tells_its_kind_shape_and_parameters():
    encoder = scopes(ModelView(make_run()))["encoder"]
    assert "<b>Linear</b><span>16</span><span>784</span>" in encoder  # 48 · 16 + 16
    assert "48 → 16\n784 parameters, trainable" in encoder
    assert "layer thin" in encoder  # the nonlinearity
    assert "ELU" in encoder


def test_the_bottleneck_is_the_lowest_bar():
    parts = scopes(ModelView(make_run()))
    (code,) = bars(parts["posterior"])
    assert code < min(bars(parts["input"] + parts["encoder"] + parts["decoder"]))
    assert bars(parts["input"]) == [100.0]


def test_convolutions_have_their_channels():
    dataset = make_dataset(3, 8, 8)
    model = vz.ConvVAE(dataset.image_shape, channels=(4, 6), hidden_size=16)
    parts = scopes(ModelView(make_run(dataset, model=model)))
    assert "<b>Conv2d</b><span>4×4×4</span>" in parts["encoder"]
    assert "3×8×8" in parts["output"]


def test_the_objective_has_the_beta_of_the_run():
    assert "+ 4 · <b>KL</b>" in scopes(ModelView(make_run(beta=4.0)))["objective"]


def test_frozen_layers_are_told_of():
    run = make_run()
    model = vz.DenseVAE(run.dataset.image_shape, hidden_sizes=(16,))
    next(layer for layer in model.encoder if isinstance(layer, nn.Linear)).requires_grad_(False)
    encoder = scopes(ModelView(make_run(model=model)))["encoder"]
    assert encoder.count("layer frozen") == 1
    assert "784 parameters, frozen" in encoder
    assert "trainable" in encoder


class Refusing(nn.Flatten):
    """Takes real images, and none that is empty."""

    def forward(self, x):
        if not x.any():
            raise RuntimeError("<b>no</b> empty images")
        return torch.cat([super().forward(x)[:, :2]] * 2, 1)


def test_a_model_that_can_not_be_drawn_says_why_and_its_words_are_text():
    decoder = nn.Sequential(nn.Linear(2, 48), nn.Unflatten(1, (1, 6, 8)))
    view = ModelView(make_run(model=vz.VAE(Refusing(), decoder, 2)))
    assert "can't be drawn: the encoder can&#x27;t be run" in view._graph.object
    assert "&lt;b&gt;no&lt;/b&gt; empty images" in view._graph.object


def test_names_of_layers_are_text():
    kind = type("<img src=x>", (nn.Linear,), {})
    encoder = nn.Sequential(nn.Flatten(), kind(48, 4))
    decoder = nn.Sequential(nn.Linear(2, 48), nn.Unflatten(1, (1, 6, 8)))
    view = ModelView(make_run(model=vz.VAE(encoder, decoder, 2)))
    assert "<img" not in view._graph.object
    assert "&lt;img src=x&gt;" in view._graph.object


def test_it_is_drawn_once_for_each_run_and_only_when_shown():
    state = ExplorerState(make_run())
    view = ModelView(state, shown=False)
    assert view._graph.object == ""
    view.shown = True
    drawn = view._graph.object
    assert "encoder" in drawn
    view._graph.object = "kept"
    view.shown = False
    view.shown = True
    assert view._graph.object == "kept"
    state.run = make_run(latent_dim=7)
    assert "7-D" not in drawn
    assert ">7<" in view._graph.object


def test_on_a_page_it_is_drawn_beside_its_thread():
    async def on_a_page() -> str:
        view = ModelView(make_run())
        assert view._graph.object == ""
        await view._task
        return view._graph.object

    assert "encoder" in asyncio.run(on_a_page())


@pytest.mark.parametrize("latent_dim", [1, 50, 1000])
def test_any_number_of_dimensions_is_drawn(latent_dim: int):
    assert f"<b>mu</b> <span>{latent_dim}</span>" in scopes(ModelView(make_run(latent_dim=latent_dim)))["posterior"]
