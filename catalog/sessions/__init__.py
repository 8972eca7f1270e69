"""Sessions: by which the console knows a browser whose user has signed in."""
