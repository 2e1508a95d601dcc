"""Ways to reach a recipient. A channel takes a delivery and either delivers it or says why it could not."""
