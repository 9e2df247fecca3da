"""What tests with containers need: an engine, and images to start from."""
