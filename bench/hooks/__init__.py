"""What `bench webhooks` is made of: receivers, the bare loop, and ours."""
