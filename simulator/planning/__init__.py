"""From an objective to a recommendation: what meets it, by how much, and where that ends."""
