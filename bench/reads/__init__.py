"""The parts of `bench read`."""
