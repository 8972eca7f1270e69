"""What `bench orders` measures: intake against an empty route, processing against one job per order."""
