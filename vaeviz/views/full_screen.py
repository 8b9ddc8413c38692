"""The button with which a card fills the screen."""

import panel as pn

BUTTON_CSS = """
:host { flex: 0 0 auto; }
button { display: block; width: 22px; height: 22px; padding: 1px; border: 0; border-radius: 50%; cursor: pointer;
  background: none; color: inherit; opacity: .65; }
button:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
button:focus-visible { outline: 2px solid var(--mui-palette-primary-main, #2f6fb3); }
svg { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 2; }
"""


class FullScreenButton(pn.custom.JSComponent):
    """Lets the card that it is in fill the screen; pressed again, it ends that.

    All of it is done in the browser. (Panel looks through the whole page for whoever has a callback there, with each
    part that it gets, as soon as anything on it has one.)
    """

    _esm = """
    export function render({ el }) {
      const button = document.createElement("button")
      button.title = "Full screen; Esc leaves it"
      button.setAttribute("aria-label", "Full screen")
      button.innerHTML = '<svg viewBox="0 0 24 24"><path d="M6 10V6h4M18 10V6h-4M6 14v4h4M18 14v4h-4"/></svg>'
      button.addEventListener("click", () => {
        if (document.fullscreenElement) { document.exitFullscreen(); return }
        let card = el
        while (card && !card.classList?.contains("vv-card")) { card = card.parentNode ?? card.host }
        card?.requestFullscreen()
      })
      el.append(button)
    }
    """

    def __init__(self) -> None:
        super().__init__(stylesheets=[BUTTON_CSS], margin=0)
