"""Mutation testing of the election: each mutant is hafw with one small mistake, and some test has to notice it."""
