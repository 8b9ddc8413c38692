"""Have ready what the first page waits for: `panel serve apps/explorer.py --setup apps/warm_up.py`.

The server listens as soon as without it: a thread imports the views and reads the pretrained run meanwhile.
"""

import gc
from threading import Thread


def warm_up() -> None:
    """Import the views, and open what a page opens on."""
    gc.disable()  # nothing that is imported is garbage
    try:
        from vaeviz.views import page
    finally:
        gc.enable()
    page.freeze_what_is_imported()
    page.first_run()


Thread(target=warm_up, name="warm-up", daemon=True).start()
