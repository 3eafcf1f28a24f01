"""The crash matrix: which kills (`plan`), the parts that die (`parts`), the calls meanwhile (`play`), and
what is left of it all (`evidence`), judged by the simulator's world and the bytes in the vault (`oracle`).
"""
