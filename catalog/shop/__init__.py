"""The shop window: the smallest API over products, another face of the same rules and the same cache."""
