"""The benchmark of imports: its product file, the contenders, and what is watched while ours runs."""
