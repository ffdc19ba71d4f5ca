"""Hypothesis draws the same examples in every run, and a loaded machine is no failure."""

import hypothesis

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")
