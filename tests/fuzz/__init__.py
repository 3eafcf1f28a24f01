"""Mutated frames of the captures: what a broken or hostile event socket may send."""
