"""``python -m conformance``: write docs/conformance.md, or say what does not fit together."""

from __future__ import annotations

import sys

from conformance.claims import BadClaim, claims
from conformance.page import PAGE, BadRequirements, load, mistakes, page


def main() -> int:
    """0: written; 1: nothing written, and every mistake is printed."""
    try:
        sections, requirements = load()
        claimed = claims()
    except (BadClaim, BadRequirements) as error:
        print(error, file=sys.stderr)
        return 1
    if found := mistakes(requirements, claimed):
        print("\n".join(found), file=sys.stderr)
        return 1
    PAGE.write_text(page(sections, requirements, claimed), encoding="utf-8")
    print(f"{PAGE}: {len(requirements)} requirements")
    return 0


sys.exit(main())
