"""A desk in figures, for its leads: what is open, how quickly it answers, what comes back."""
