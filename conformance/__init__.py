"""docs/conformance.md, generated: every requirement, and the tests that show it or the reason why it does not hold.

``make conformance`` writes the page from ``requirements.toml`` and the tests; a test fails when it is out of date. A
test claims a requirement in one of three ways:

- **by its name**: ``test_c_rx_07_wrong_checksum_is_discarded``, of two
  ``test_c_rx_08_c_rx_21_the_same_vrid_of_the_other_family_is_discarded``; an invariant of a state machine of Hypothesis
  counts as a test: ``c_fsm_31_one_timer_is_armed_and_the_right_one``;
- **by a marker**, where it shows something beside what its name says: ``@pytest.mark.requirement("C-IO-05")``;
- **a scenario**, by its first comment: ``# Hazard C-SEC-04: a goodbye that arrives late``.

Claim an id only in a test that fails when the requirement is violated. When a reason in ``requirements.toml`` is no
longer true, take it out: a requirement that is ``absent`` and has a test is a mistake, like one that is held without.
"""
