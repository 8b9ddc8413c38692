"""The graph of a model as markup: a pure function, without any library in the page."""

import html
import math
from collections.abc import Iterable

from vaeviz.models import Layer, ModelGraph, Scope
from vaeviz.views.palette import MARK, NUMBERS

GRAPH_CSS = f"""
:host {{ margin: 0; }}
.graph {{ display: flex; align-items: stretch; gap: 12px; width: max-content; min-width: 100%; height: 100%;
  box-sizing: border-box; padding: 2px 12px 10px; justify-content: safe center; font-size: 11px; line-height: 14px; }}
.scope {{ display: flex; flex-direction: column; position: relative; border-radius: 8px; padding: 2px 5px 4px;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent); }}
.scope + .scope::before {{ content: "→"; position: absolute; left: -13px; width: 12px; top: calc(50% - 22px);
  text-align: center; opacity: 0.6; }}
.scope > h4 {{ margin: 0 0 2px; font-size: 11px; font-weight: 600; white-space: nowrap; }}
.scope > h4 span {{ font-weight: 400; opacity: 0.65; }}
.layers {{ display: flex; flex: 1 1 auto; gap: 4px; min-height: 0; }}
.layer {{ display: flex; flex-direction: column; min-width: 44px; text-align: center; white-space: nowrap; }}
.layer.thin {{ min-width: 14px; width: 14px; }}
.stage {{ flex: 1 1 auto; min-height: 44px; display: flex; align-items: center; justify-content: center;
  position: relative; }}
.layer + .layer > .stage::before {{ content: ""; position: absolute; left: -4px; width: 4px; top: 50%;
  border-top: 1px solid color-mix(in srgb, currentColor 45%, transparent); }}
.stage > i {{ display: block; width: 100%; min-height: 3px; border-radius: 3px; box-sizing: border-box;
  background: color-mix(in srgb, currentColor 24%, transparent); }}
.layer.weights i {{ background: {NUMBERS[4]}; }}
.layer.frozen i {{ background: transparent; border: 2px dashed {NUMBERS[4]}; }}
.layer.code i {{ background: {MARK}; }}
.words {{ height: 44px; margin-top: 2px; }}
.words b {{ font-weight: 600; display: block; max-width: 92px; overflow: hidden; text-overflow: ellipsis; }}
.words span {{ display: block; opacity: 0.72; font-variant-numeric: tabular-nums; }}
.thin > .words {{ writing-mode: vertical-rl; line-height: 14px; font-size: 10px; overflow: hidden; opacity: 0.8; }}
.formulas {{ display: flex; flex-direction: column; justify-content: center; gap: 5px; flex: 1 1 auto;
  padding-bottom: 46px; white-space: nowrap; }}
.formulas div {{ padding: 1px 7px; border-radius: 5px;
  background: color-mix(in srgb, currentColor 8%, transparent); }}
.formulas b {{ font-weight: 600; }} .formulas span {{ opacity: 0.72; }}
.refusal {{ margin: 10px 14px; font-size: 13px; max-width: 90ch; }}
"""


def graph_markup(graph: ModelGraph, beta: float | None = None) -> str:
    """Return the drawing of a model, from left to right: a bar's height is the logarithm of what a layer gives.

    Parameters
    ----------
    graph : ModelGraph
    beta : float, optional
        Weight of the KL term, if it is known.
    """
    encoder, posterior, decoder, objective = graph.scopes
    images = Layer("input", "images", "", encoder.input_shape, encoder.input_shape)
    output = Layer("output", "logits", "their sigmoid is the image", decoder.output_shape, decoder.output_shape)
    sizes = [layer.output_shape for layer in (images, *encoder.layers, *posterior.layers, *decoder.layers)]
    most = max(map(_size, sizes))
    parts = [
        _scope("input", "", _layers([images], most)),
        _scope("encoder", f"{encoder.parameters:,}", _layers(encoder.layers, most)),
        _scope("posterior", "", _posterior(posterior, most)),
        _scope("decoder", f"{decoder.parameters:,}", _layers(decoder.layers, most)),
        _scope("output", "", _layers([output], most)),
        _scope("objective", "", _objective(objective, beta)),
    ]
    return f'<div class="graph">{"".join(parts)}</div>'


def _scope(name: str, words: str, body: str) -> str:
    return f'<section class="scope"><h4>{name} <span>{words}</span></h4>{body}</section>'


def _layers(layers: Iterable[Layer], most: int) -> str:
    return f'<div class="layers">{"".join(_layer(layer, most) for layer in layers)}</div>'


def _layer(layer: Layer, most: int, look: str = "") -> str:
    """Return one layer; one without weights that keeps the size, such as ReLU, is a thin one."""
    if layer.parameters:
        look = "weights" if layer.trainable else "frozen"
    kind = html.escape(layer.kind)
    plain = not (look or layer.reused or layer.name in ("input", "output"))
    if plain and _size(layer.input_shape) == _size(layer.output_shape):
        look, words = "thin", kind
    else:
        numbers = f"{layer.parameters:,}" if layer.parameters else "again" if layer.reused else ""
        words = f"<b>{kind}</b><span>{shape(layer.output_shape)}</span><span>{numbers}</span>"
    height = 100 * math.log1p(_size(layer.output_shape)) / math.log1p(most)
    bar = f'<div class="stage"><i style="height:{height:.1f}%"></i></div>'
    return f'<div class="layer {look}" title="{_tip(layer)}">{bar}<div class="words">{words}</div></div>'


def _posterior(posterior: Scope, most: int) -> str:
    mu, logvar, z = posterior.layers
    both = _formulas(
        [(layer, f"<b>{layer.name}</b> <span>{shape(layer.output_shape)}</span>") for layer in (mu, logvar)]
    )
    return f'<div class="layers">{both}{_layer(z._replace(kind="z = mu + σ·ε"), most, "code")}</div>'


def _objective(objective: Scope, beta: float | None) -> str:
    reconstruction, kl, loss = objective.layers
    weight = "β" if beta is None else f"{beta:g}"
    return _formulas(
        [
            (reconstruction, "<b>reconstruction</b> <span>−log p(x | z)</span>"),
            (kl, f"+ {weight} · <b>KL</b> <span>(q(z | x) ‖ N(0, I))</span>"),
            (loss, "= <b>loss</b> <span>nats per example</span>"),
        ]
    )


def _formulas(lines: Iterable[tuple[Layer, str]]) -> str:
    boxes = (f'<div title="{_tip(layer)}">{words}</div>' for layer, words in lines)
    return f'<div class="formulas">{"".join(boxes)}</div>'


def _tip(layer: Layer) -> str:
    """Return what a layer's box has no room for, as the text of an attribute."""
    lines = [f"{layer.name}: {layer.kind}({layer.settings})" if layer.settings else f"{layer.name}: {layer.kind}"]
    lines.append(f"{shape(layer.input_shape)} → {shape(layer.output_shape)}")
    if layer.parameters:
        frozen = layer.parameters - layer.trainable
        trained = "trainable" if not frozen else "frozen" if not layer.trainable else f"{frozen:,} of them frozen"
        lines.append(f"{layer.parameters:,} parameters, {trained}")
    if layer.reused:
        lines.append("the same module as further up: its parameters are counted there")
    return html.escape("\n".join(lines))


def shape(sizes: tuple[int, ...]) -> str:
    """Return the shape for one example, such as "32×14×14"."""
    return "×".join(map(str, sizes[1:])) or "1"


def _size(sizes: tuple[int, ...]) -> int:
    return math.prod(sizes[1:])
