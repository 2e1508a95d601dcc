"""How a desk is set up: its people, and the desk file that would make it."""
