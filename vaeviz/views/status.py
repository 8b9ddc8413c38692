"""One line that tells how the run goes, with its progress, and an alert when something went wrong."""

import html
import re

import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.training.events import when
from vaeviz.views.browser import OWN_LAYOUT
from vaeviz.views.sharing import for_visitors
from vaeviz.views.view import View, one_line, text

DOTS = {"ready": "#888888", "running": "#2e9e4f", "paused": "#d98a00", "finished": "#3f90da", "stopped": "#888888",
        "failed": "#d32f2f"}  # fmt: skip
LINE_CSS = """
:host { font-size: 13px; }
i { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 7px; }
span { opacity: 0.7; }
"""


class StatusView(View):
    """`running · step 1,234 · epoch 2.6 · 12,900 examples/s · views 3 %`, and a progress bar.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    cell_height = 40

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._line = text(css=one_line(22) + LINE_CSS)
        self._bar = pmui.LinearProgress(
            value=0, variant="determinate", margin=(0, 12), align="center", width=240, height=6,
            stylesheets=[":host { flex: 0 0 auto; }"],
        )  # fmt: skip
        self._alert, self._warning = _alert("error"), _alert("warning")
        self._alert.param.watch(self._on_close, "closed")
        self._save_error: str | None = None
        self._row = pn.Row(
            self._line, sizing_mode="stretch_width", margin=0,
            stylesheets=[":host { align-items: center; padding: 0 4px; min-height: 26px; }"],
        )  # fmt: skip
        self._layout = pn.Column(self._row, sizing_mode="stretch_width", margin=0, css_classes=[OWN_LAYOUT])
        self._furnish()
        self.state.param.watch(self._update, ["tick", "status", "frame", "run"])
        self.state.param.watch(self._update_alert, "alert")
        self._update()
        self._update_alert()

    @param.depends("furnished", watch=True)
    def _furnish(self) -> None:
        if self.furnished:
            self._row.append(self._bar)
            self._layout.extend([self._alert, self._warning])

    def words(self) -> str:
        """Return the line, without markup."""
        run = self.state.run
        step = getattr(run, "step", self.state.frame.snapshot.step)
        epoch = getattr(run, "epoch", self.state.frame.snapshot.epoch)
        parts = [self.state.status, when(step, epoch)]
        if self.state.status == "running":
            if hasattr(run, "steps_per_second"):
                parts.append(f"{run.steps_per_second:,.1f} steps/s")
            else:
                parts.append(f"{getattr(run, 'examples_per_second', 0):,.0f} examples/s")
            parts.append(f"snapshots {getattr(run, 'snapshot_share', 0):.1%}")
            parts.append(f"views {self.state.views_share:.0%}")
        parts.append(f"shown: step {self.state.frame.snapshot.step:,}")
        return " · ".join(parts)

    def _on_close(self, event) -> None:
        if event.new:
            self.state.alert = ""

    def _update(self, *_) -> None:
        first, *rest = self.words().split(" · ")
        dot = f'<i style="background:{DOTS[first]}"></i>'
        model = f"{self.state.run.dataset.name} · {self.state.frame.snapshot.vae.describe()}"
        saved_at = getattr(self.state.run, "saved_at_step", None)
        about = html.escape(model) + ("" if saved_at is None else f" · saved at step {saved_at:,}")
        line = f"{dot}<b>{first}</b> · {' · '.join(rest)} <span>— {about}</span>"
        self._line.object = f"<div class=vv-status>{line}</div>"
        total = getattr(self.state.run, "total_steps", 0)
        self._bar.visible = total > 0
        if total:
            self._bar.value = int(100 * min(1.0, self.state.run.step / total))
        self._warn(getattr(self.state.run, "save_error", None))

    def _warn(self, save_error: str | None) -> None:
        """Tell once, while training goes on, that a save was not done."""
        if save_error == self._save_error:
            return
        self._save_error = save_error
        words = f"Training goes on, but {save_error}" if self.state.status == "running" else save_error
        _tell(self._warning, words or "")

    def _update_alert(self, *_) -> None:
        _tell(self._alert, self.state.alert)


def alert_of(words: str) -> pmui.Alert:
    """Return an alert that tells of an error."""
    alert = _alert("error")
    _tell(alert, words)
    return alert


def _alert(kind: str) -> pmui.Alert:
    return pmui.Alert(
        severity=kind,
        visible=False,
        closeable=True,
        sizing_mode="stretch_width",
        margin=(4, 0),
        sx={"padding": "2px 12px", "& p": {"margin": 0}, "& .MuiAlertTitle-root": {"display": "none"}},
    )


def _tell(alert: pmui.Alert, words: str) -> None:
    if words:
        alert.param.update(object=verbatim(for_visitors(words)), closed=False, visible=True)
    else:
        alert.visible = False


def verbatim(words: str) -> str:
    """Return the words so that Markdown shows them as they are: names of files have underscores and more in them."""
    return re.sub(r"^[\d+-]|[<>&\"'`*_\[\]{}#\\~|!$^=]", lambda sign: f"&#{ord(sign[0])};", words)
