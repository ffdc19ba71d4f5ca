"""``python -m hafw`` is the ``hafw`` command."""

from hafw.cli import main

main()
