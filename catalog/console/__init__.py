"""The console: pages for people, over the services that the API calls."""
