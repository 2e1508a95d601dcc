"""How a desk is set up and what its machinery does, for admins and leads."""
