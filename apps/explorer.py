"""The explorer: train a VAE and walk around in what it learns. Serve it with `panel serve apps/explorer.py`."""

import panel as pn

from vaeviz.views.page import explorer_page

pn.extension()

(run_id,) = pn.state.session_args.get("run", [b""])
explorer_page(run_id.decode()).servable()
