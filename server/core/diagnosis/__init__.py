"""What is wrong with a project, and what to do: the catalogue of problems and how each is detected."""
