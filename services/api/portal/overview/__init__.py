"""The lead's view of a desk."""
