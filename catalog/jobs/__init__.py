"""Background work as an operator sees it: RQ's workers and jobs."""
