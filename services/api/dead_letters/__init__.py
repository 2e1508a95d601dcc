"""What the services behind a desk gave up on, and the way back."""
