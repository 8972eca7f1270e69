"""Users: people who sign in to the console with a name and a password."""
