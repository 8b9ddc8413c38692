"""Names of files that come from elsewhere, made harmless."""

import re
import unicodedata

LONGEST = 60


def plain_name(told: str) -> str:
    """Return the last part of what a file is called: never a path, never hidden, nothing that can't be seen."""
    seen = [sign for sign in unicodedata.normalize("NFC", told) if unicodedata.category(sign) not in ("Cc", "Cf", "Cs")]
    name = re.sub(r'[<>:"|?*]', "_", re.split(r"[/\\]", "".join(seen))[-1]).strip().lstrip(".").strip()
    return name if len(name) <= LONGEST else f"{name[:30]}…{name[31 - LONGEST :]}"
