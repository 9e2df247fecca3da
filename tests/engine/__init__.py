"""What tests with containers need: an engine, a registry, and images to start from."""
