"""Between the doors and the store: what this process knows, the one write door, limits, and the hub of viewers."""
