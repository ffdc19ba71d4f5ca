"""hafw against input that nobody should send. ``targets`` holds what is tried, ``__main__`` runs it under atheris."""
