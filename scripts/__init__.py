"""What a person or a CI step starts."""
