"""What is known of a project: its fields and how they join, updates to it, and a view of it at one moment."""
