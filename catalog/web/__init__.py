"""What stands between the network and the application: the server's process and its patience with slow clients."""
